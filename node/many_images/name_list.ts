/** Lists of file names: one per line, or each terminated by NUL. */
import { NOT_UTF8 } from '../system_error.js';

const [NUL, LINE_FEED, CARRIAGE_RETURN] = [0x00, 0x0a, 0x0d];

/** Maximum length of a name; a longer one means that the input is not a list of names. */
const MAX_NAME_BYTES = 2 ** 16;

/** A name in a list, with its problem if it cannot be the name of a file. */
export interface ListedName {
  readonly name: string;
  readonly problem?: string;
}

/**
 * The names in a list, as they arrive. Empty and blank ones are skipped. Names are terminated by NUL if the first chunk of the
 * list that terminates a name contains NUL. A name that is not UTF-8 has a problem, unless it is the first.
 * @param origin of the list, for errors
 * @throws {Error} one line, if it is not a list of names: the first is not UTF-8, or one has more than 65,536 bytes
 */
export async function* listedNames(
  bytes: AsyncIterable<Uint8Array>,
  origin: string,
): AsyncGenerator<ListedName> {
  const refuse = (why: string) => new Error(`${origin} ${why}; expected a list of file names`);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let isFirst = true;
  const nameOf = (text: Buffer): ListedName | undefined => {
    const isLine = separator !== NUL;
    const end = isLine && text.at(-1) === CARRIAGE_RETURN ? -1 : undefined;
    try {
      const whole = decoder.decode(text.subarray(0, end));
      const name = isFirst ? whole.replace(/^\ufeff/, '') : whole;
      isFirst = false;
      return (isLine ? name.trim() : name) === '' ? undefined : { name };
    } catch {
      if (isFirst) throw refuse('is not UTF-8');
      const name = text.toString('utf8');
      return { name, problem: `cannot read "${name}": ${NOT_UTF8}` };
    }
  };
  let separator: number | undefined;
  let rest = Buffer.alloc(0);
  for await (const piece of bytes) {
    rest = Buffer.concat([rest, piece]);
    separator ??= rest.includes(NUL) ? NUL : rest.includes(LINE_FEED) ? LINE_FEED : undefined;
    if (separator !== undefined) {
      let begin = 0;
      for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator, begin)) {
        const name = nameOf(rest.subarray(begin, end));
        if (name) yield name;
        begin = end + 1;
      }
      rest = rest.subarray(begin);
    }
    if (rest.length > MAX_NAME_BYTES) throw refuse(`has a name of more than ${MAX_NAME_BYTES} bytes`);
  }
  const last = nameOf(rest);
  if (last) yield last;
}
