/** Parses JSON of untrusted files after bounding its length and depth. */

/** The largest tokenizer.json of a published model is 33 MB. */
export const MAX_JSON_CHARACTERS = 2 ** 27;
/** A configuration has 3 or 4 levels of nesting, a tokenizer 6. */
export const MAX_JSON_DEPTH = 64;

/** @throws {Error} one line that names the file, if the text is too long, too deep or not JSON. */
export function parseBoundedJson(text: string, file: string): unknown {
  if (text.length > MAX_JSON_CHARACTERS) {
    throw new Error(`${file}: ${text.length} characters, expected at most ${MAX_JSON_CHARACTERS}`);
  }
  if (isNestedTooDeeply(text)) throw new Error(`${file}: nested deeper than ${MAX_JSON_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${file}: not JSON`);
  }
}

/** Counts brackets outside of strings; whether they match is left to JSON.parse. */
export function isNestedTooDeeply(text: string): boolean {
  const [quote, backslash, openList, closeList, openObject, closeObject] = Array.from('"\\[]{}', (each) =>
    each.charCodeAt(0),
  );
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) inString = !inString;
    else if (inString) {
      if (code === backslash) i++;
    } else if (code === openList || code === openObject) {
      if (++depth > MAX_JSON_DEPTH) return true;
    } else if (code === closeList || code === closeObject) depth--;
  }
  return false;
}
