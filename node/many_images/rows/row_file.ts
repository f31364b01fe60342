/** Rows in a file that is either complete or absent, and the journal kept until then. */
import { stat } from 'node:fs/promises';
import { isRegularOutput, writeOutput } from '../../atomic_file.js';
import type { ImageKind } from '../task.js';
import { Journal, type RunIdentity } from './journal.js';
import type { FailedRow, ImageRow, RowTally } from './row.js';
import { type RowFormat, rowWriter } from './row_writer.js';

export interface RowFileOptions {
  readonly path: string;
  readonly format: RowFormat;
  readonly kind: ImageKind;
  /** Resumes an earlier run. */
  readonly resume: boolean;
  /** The identity of the run. */
  readonly identity: RunIdentity;
}

/** Destination of rows. */
export interface RowOutput {
  /** Of this run and those that it resumes. */
  readonly tally: RowTally;
  /** Whether an input has already been done; called once for each. */
  takeDone(file: string): boolean;
  write(row: ImageRow | FailedRow): Promise<void>;
  /** Called when all rows have been written. */
  complete(): Promise<void>;
  /** Closes it, whether complete or not. */
  close(): Promise<void>;
}

/** The journal of a row file. */
function journalOf(path: string): string {
  return `${path}.partial`;
}

/**
 * Opens a file for rows: they are written to a journal, and once complete to the file.
 * @returns undefined if the run to resume is already complete
 * @throws {Error} one line, if it cannot be written, there is a run that is neither resumed nor removed, or the run to resume has
 * another identity
 */
export async function openRowFile(options: RowFileOptions): Promise<RowOutput | undefined> {
  const { path, format, kind, resume, identity } = options;
  if (!(await isRegularOutput(path))) {
    throw new Error(
      `cannot write "${path}": it is a pipe or a device, expected a file; without it rows go to standard output`,
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
