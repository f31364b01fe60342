/** Writes rows one after another, in formats for people or other tools. */
import { extname } from 'node:path';
import { inline, jsonText } from '../../printable.js';
import type { ImageKind, TaskSpec } from '../task.js';
import { type FailedRow, type ImageRow, isFailed, type RowWriter, type Sink } from './row.js';

export const ROW_FORMATS = ['text', 'json', 'ndjson', 'csv', 'parquet'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/**
 * Creates a writer of rows.
 * @param kind of the task that gives the rows
 */
export async function rowWriter(
  format: RowFormat,
  kind: ImageKind,
  { options }: Pick<TaskSpec, 'options'>,
  sink: Sink,
): Promise<RowWriter> {
  return WRITERS[format](kind, options, sink);
}

/** A row as text for the user. */
export function describeRow(kind: ImageKind, row: ImageRow | FailedRow): string {
  return isFailed(row) ? `${inline(row.file)}: ${row.error}` : kind.describe(row);
}

const WRITERS: Readonly<
  Record<RowFormat, (kind: ImageKind, options: object, sink: Sink) => RowWriter | Promise<RowWriter>>
> = {
  text: (kind, _, sink) => ({
    write: (row) => sink(`${describeRow(kind, row)}\n`),
    end: async () => {},
  }),
  ndjson: (_kind, _options, sink) => ({
    write: (row) => sink(`${jsonText(row, 0)}\n`),
    end: async () => {},
  }),
  json: (kind, options, sink) => {
    let isFirst = true;
    return {
      write: async (row) => {
        for (const element of kind.elements?.(row, options) ?? [row]) {
          await sink(`${isFirst ? '[' : ','}\n  ${jsonText(element).replaceAll('\n', '\n  ')}`);
          isFirst = false;
        }
      },
      end: () => sink(isFirst ? '[]\n' : '\n]\n'),
    };
  },
  csv: async (kind, options, sink) =>
    (await import('./table_writers.js')).csvWriter(kind.table(options), sink),
  parquet: async (kind, options, sink) =>
    (await import('./table_writers.js')).parquetWriter(kind.table(options), sink),
};

/** File extensions of formats. */
const ENDINGS: Readonly<Record<string, RowFormat>> = {
  '.json': 'json',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.csv': 'csv',
  '.parquet': 'parquet',
};

/** The format for a file name. */
export function rowFormatOf(file: string): RowFormat | undefined {
  return ENDINGS[extname(file).toLowerCase()];
}
