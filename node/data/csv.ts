/** Comma-separated text (RFC 4180): fields may be quoted, quotes in them are doubled. The text is untrusted. */

/** Rows that are read; a set of pictures has fewer. */
const MAX_ROWS = 2 ** 24;
/** Fields of a row: two are used. */
const MAX_FIELDS = 64;

/** A row and the line that it starts on, from 1. */
export interface CsvRow {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The rows of a text, without empty lines.
 * @param name of the file, for errors
 * @throws {Error} one line that names the file and the line: a quote that is not closed or followed by text, too much
 */
export function parseCsv(name: string, text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let fields: string[] = [];
  let line = 1;
  let first = 1;
  const fail = (what: string): never => {
    throw new Error(`${name}, line ${line}: ${what}`);
  };
  // A field, plain or quoted, and what ends it. Sticky: each match starts where the last one ended.
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at = field.lastIndex) {
    field.lastIndex = at;
    const match = field.exec(text);
    if (!match) return fail('a quote that is not closed, or text beside quotes');
    const [whole, quoted, plain, end] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (fields.length > MAX_FIELDS) fail(`more than ${MAX_FIELDS} fields`);
    line += whole.split('\n').length - 1;
    if (end === ',' && field.lastIndex < text.length) continue;
    if (end === ',') fields.push('');
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: first, fields });
    if (rows.length > MAX_ROWS) fail(`more than ${MAX_ROWS} rows`);
    fields = [];
    first = line;
  }
  return rows;
}
