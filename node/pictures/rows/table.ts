/** Rows as a table of fixed columns, for CSV and Parquet. */

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
