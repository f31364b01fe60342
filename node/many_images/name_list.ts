/** Lists of file names: one per line, or each terminated by NUL. */

const NUL = /\0/;
const LINE_END = /\r?\n/;

/** Maximum length of a name; a longer one means that the input is not a list of names. */
const MAX_NAME_CHARACTERS = 2 ** 16;

/**
 * The names in a list, as they arrive. Empty and blank ones are skipped. Names are terminated by NUL if the first chunk of the
 * list that terminates a name contains NUL.
 * @param origin of the list, for errors
 * @throws {Error} one line, if it is not a list of names: not UTF-8, or with a name of more than 65,536 characters
 */
export async function* listedNames(bytes: AsyncIterable<Uint8Array>, origin: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const refuse = (why: string) => new Error(`${origin} ${why}; expected a list of file names`);
  const decode = (piece?: Uint8Array) => {
    try {
      return decoder.decode(piece, { stream: piece !== undefined });
    } catch {
      throw refuse('is not UTF-8');
    }
  };
  let separator: RegExp | undefined;
  const isBlank = (name: string) => (separator === NUL ? name : name.trim()) === '';
  let rest = '';
  for await (const piece of bytes) {
    rest += decode(piece);
    separator ??= rest.includes('\0') ? NUL : rest.includes('\n') ? LINE_END : undefined;
    if (separator) {
      const names = rest.split(separator);
      rest = names.pop() as string;
      yield* names.filter((name) => !isBlank(name));
    }
    if (rest.length > MAX_NAME_CHARACTERS)
      throw refuse(`has a name of more than ${MAX_NAME_CHARACTERS} characters`);
  }
  rest += decode();
  if (!isBlank(rest)) yield rest;
}
