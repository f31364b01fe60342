/** Escapes text from files, models and users: its control characters never reach a terminal. */

/** C0 and C1 controls, line and paragraph separators, and bidirectional controls. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const SHORT = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Maximum characters of one name in a line of text. */
const NAME_CHARACTERS = 200;

export function escapeCharacter(character: string): string {
  return SHORT.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A name, label or reason on one line: all control characters escaped, truncated to `most` characters. */
export function inline(text: string, most = NAME_CHARACTERS): string {
  const cut = text.length > most ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, '')}...` : text;
  return cut.replace(UNSAFE, escapeCharacter);
}

/** Text of several lines: line feeds and tabs are kept, other control characters are escaped. */
export function multiline(text: string): string {
  return text.replace(UNSAFE, (character, offset: number) => {
    const stays =
      character === '\n' || character === '\t' || (character === '\r' && text[offset + 1] === '\n');
    return stays ? character : escapeCharacter(character);
  });
}

/**
 * JSON as from `JSON.stringify`, but with the control characters escaped that it leaves alone: an equivalent document.
 * @param indent spaces per level; 0 for one line
 */
export function jsonText(value: unknown, indent = 2): string {
  // A line feed can only be part of the layout here.
  return JSON.stringify(value, null, indent).replace(UNSAFE, (character) =>
    character === '\n' ? character : escapeCharacter(character),
  );
}
