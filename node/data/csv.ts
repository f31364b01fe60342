/** Comma-separated values (RFC 4180): fields may be quoted, with quotes in them doubled. The text is untrusted. */

/** Maximum number of rows, more than any image dataset has. */
const MAX_ROWS = 2 ** 24;
/** Maximum number of fields per row; two are used. */
const MAX_FIELDS = 64;

/** A row and the number of its first line, starting at 1. */
export interface CsvRow {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * The rows of a text, without empty lines.
 * @param name of the file, for errors
 * @throws {Error} one line that names the file and the line: a quote that is not closed or is followed by text, or a limit
 * exceeded
 */
export function parseCsv(name: string, text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let fields: string[] = [];
  let line = 1;
  let first = 1;
  const fail = (what: string): never => {
    throw new Error(`${name}, line ${line}: ${what}`);
  };
  // A field, plain or quoted, and its delimiter. Sticky: each match starts where the previous one ended.
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
