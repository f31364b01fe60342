/** Rows as a table with fixed columns, for CSV and Parquet. */
import { type FailedRow, type ImageRow, isFailed } from './row.js';

export interface Column {
  readonly name: string;
  readonly type: 'text' | 'integer' | 'number';
}

/** Missing cells are undefined. */
export type Cell = string | number | undefined;

export interface Table<Row> {
  /** Columns of a kind; `file` is before them and `error` after them. */
  readonly columns: readonly Column[];
  /** One or more table lines for a row. */
  lines(row: Row): readonly (readonly Cell[])[];
}

/** A table with the columns common to all kinds. */
export function wholeTable<Row extends ImageRow>({ columns, lines }: Table<Row>): Table<Row | FailedRow> {
  return {
    columns: [{ name: 'file', type: 'text' }, ...columns, { name: 'error', type: 'text' }],
    lines: (row) =>
      isFailed(row)
        ? [[row.file, ...columns.map(() => undefined), row.error]]
        : lines(row).map((cells) => [row.file, ...cells, undefined]),
  };
}
