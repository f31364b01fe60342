/** Rows in a file that is complete or not there, and what is kept meanwhile. */
import { stat } from 'node:fs/promises';
import { isRegularOutput, writeOutput } from '../../atomic_file.js';
import type { PictureKind } from '../task.js';
import { Journal, type RunIdentity } from './journal.js';
import type { FailedRow, PictureRow, RowTally } from './row.js';
import { type RowFormat, rowWriter } from './row_writer.js';

export interface RowFileOptions {
  readonly path: string;
  readonly format: RowFormat;
  readonly kind: PictureKind;
  /** Goes on with what a run before has left. */
  readonly resume: boolean;
  /** What the run is about. */
  readonly identity: RunIdentity;
}

/** Where rows go. */
export interface RowOutput {
  /** Of this run and those that it continues. */
  readonly tally: RowTally;
  /** Whether an input is done already; it is asked once for each. */
  takeDone(file: string): boolean;
  write(row: PictureRow | FailedRow): Promise<void>;
  /** All rows are there. */
  complete(): Promise<void>;
  /** Ends, complete or not. */
  close(): Promise<void>;
}

/** The journal beside a file of rows. */
export function journalOf(path: string): string {
  return `${path}.partial`;
}

/**
 * Opens a file for rows: they go to a journal, and when all are there to their file.
 * @returns undefined where a run is to be continued that is complete already
 * @throws {Error} one line, when it cannot be written, when there is a run that is neither continued nor removed, or the one
 *     that is to be continued is about something else
 */
export async function openRowFile(options: RowFileOptions): Promise<RowOutput | undefined> {
  const { path, format, kind, resume, identity } = options;
  if (!(await isRegularOutput(path))) {
    throw new Error(
      `cannot write ${path}: it is a pipe or a device, expected a file; without it rows go to standard output`,
    );
  }
  const resumed = resume ? await Journal.resume(journalOf(path), identity) : undefined;
  if (resume && !resumed && (await stat(path).catch(() => undefined))) return undefined;
  const journal = resumed ?? (await Journal.begin(journalOf(path), identity));
  return {
    tally: journal.tally,
    takeDone: (file) => journal.takeDone(file),
    write: (row) => journal.write(row),
    close: () => journal.close(),
    complete: async () => {
      await writeOutput(path, async (append) => {
        const writer = await rowWriter(format, kind, identity, append);
        for await (const row of journal.all()) await writer.write(row);
        await writer.end();
      });
      await journal.remove();
    },
  };
}
