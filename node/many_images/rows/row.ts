/** The result for an input; plain data. */

export interface ImageRow {
  readonly file: string;
}

/** An input that failed. */
export interface FailedRow extends ImageRow {
  readonly error: string;
}

export function isFailed(row: object): row is FailedRow {
  return 'error' in row;
}

/** Receives the output of a writer. */
export type Sink = (bytes: string | Uint8Array) => Promise<void>;

export interface RowWriter {
  write(row: ImageRow | FailedRow): Promise<void>;
  /** Completes the document. */
  end(): Promise<void>;
}

/** Counts rows and errors. */
export class RowTally {
  rows = 0;
  failed = 0;
  firstError = '';

  add(row: ImageRow | FailedRow): void {
    this.rows++;
    if (isFailed(row) && this.failed++ === 0) this.firstError = row.error;
  }
}
