/** What becomes of an input; plain data. */

export interface PictureRow {
  readonly file: string;
}

/** An input that something went wrong with. */
export interface FailedRow extends PictureRow {
  readonly error: string;
}

export function isFailed(row: object): row is FailedRow {
  return 'error' in row;
}

/** Takes what a writer makes. */
export type Sink = (bytes: string | Uint8Array) => Promise<void>;

export interface RowWriter {
  write(row: PictureRow | FailedRow): Promise<void>;
  /** Completes the document. */
  end(): Promise<void>;
}

/** How many rows there are, and what went wrong. */
export class RowTally {
  rows = 0;
  failed = 0;
  firstError = '';

  add(row: PictureRow | FailedRow): void {
    this.rows++;
    if (isFailed(row) && this.failed++ === 0) this.firstError = row.error;
  }
}
