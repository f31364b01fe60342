/** Rows as a table of fixed columns, for CSV and Parquet. */
import { type FailedRow, isFailed, type PictureRow } from './row.js';

export interface Column {
  readonly name: string;
  readonly type: 'text' | 'integer' | 'number';
}

/** A cell that is not there is undefined. */
export type Cell = string | number | undefined;

export interface Table<Row> {
  /** Those of a kind; `file` is before them and `error` behind. */
  readonly columns: readonly Column[];
  /** One or more lines of the table for a row. */
  lines(row: Row): readonly (readonly Cell[])[];
}

/** A table with the columns that all kinds have. */
export function wholeTable<Row extends PictureRow>({ columns, lines }: Table<Row>): Table<Row | FailedRow> {
  return {
    columns: [{ name: 'file', type: 'text' }, ...columns, { name: 'error', type: 'text' }],
    lines: (row) =>
      isFailed(row)
        ? [[row.file, ...columns.map(() => undefined), row.error]]
        : lines(row).map((cells) => [row.file, ...cells, undefined]),
  };
}
