/** Rows in a format that people or other tools read, one after another. */
import { inline, jsonText } from '../../printable.js';
import { type FailedRow, isFailed, type PictureKind, type PictureRow, type TaskSpec } from '../task.js';

export const ROW_FORMATS = ['text', 'json', 'ndjson'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** Takes what a writer makes. */
export type Sink = (bytes: string | Uint8Array) => Promise<void>;

export interface RowWriter<Row extends PictureRow = PictureRow> {
  write(row: Row | FailedRow): Promise<void>;
  /** Completes the document. */
  end(): Promise<void>;
}

/**
 * A writer of rows.
 * @param kind of the task that gives the rows
 */
export async function rowWriter(
  format: RowFormat,
  kind: PictureKind,
  _spec: Pick<TaskSpec, 'options'>,
  sink: Sink,
): Promise<RowWriter> {
  return WRITERS[format](kind, sink);
}

/** A row as text for a person. */
export function describeRow(kind: PictureKind, row: PictureRow | FailedRow): string {
  return isFailed(row) ? `${inline(row.file)}: ${row.error}` : kind.describe(row);
}

const WRITERS: Readonly<Record<RowFormat, (kind: PictureKind, sink: Sink) => RowWriter>> = {
  text: (kind, sink) => ({
    write: (row) => sink(`${describeRow(kind, row)}\n`),
    end: async () => {},
  }),
  ndjson: (_, sink) => ({
    write: (row) => sink(`${jsonText(row, 0)}\n`),
    end: async () => {},
  }),
  json: (_, sink) => {
    let isFirst = true;
    return {
      write: async (row) => {
        await sink(`${isFirst ? '[' : ','}\n  ${jsonText(row).replaceAll('\n', '\n  ')}`);
        isFirst = false;
      },
      end: () => sink(isFirst ? '[]\n' : '\n]\n'),
    };
  },
};
