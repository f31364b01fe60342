/** Where a command writes its rows: to standard output or to a file. */
import { isDescriptor } from '../atomic_file.js';
import { RowTally, type RowWriter } from '../many_images/rows/row.js';
import { openRowFile, type RowOutput } from '../many_images/rows/row_file.js';
import { type RowFormat, rowFormatOf, rowWriter } from '../many_images/rows/row_writer.js';
import type { ImageKind, TaskSpec } from '../many_images/task.js';
import { identifyModel } from '../model_digest.js';
import { BAD_USAGE, Failure } from './failure.js';
import type { ImageFlags } from './image_options.js';
import { note, printed, stream } from './terminal.js';

/** The file for rows; undefined for standard output. */
export function rowPathOf({ rows }: Pick<ImageFlags, 'rows'>): string | undefined {
  return rows === undefined || isDescriptor(rows) ? undefined : rows;
}

/**
 * The requested format.
 * @throws {Failure} bad usage, if it cannot be written to that output
 */
export function formatOf(flags: Pick<ImageFlags, 'rows' | 'json' | 'format' | 'resume'>): RowFormat {
  const path = rowPathOf(flags);
  const format = flags.json ? 'json' : (flags.format ?? rowFormatOf(path ?? '') ?? 'text');
  if (path !== undefined) return format;
  if (flags.resume) throw new Failure(BAD_USAGE, '--resume continues a file of results, and none is named');
  if (format === 'parquet') throw new Failure(BAD_USAGE, '--format parquet needs a file for the results');
  return format;
}

/** Rows of one model. */
export interface ModelOutput extends RowOutput {
  /**
   * To be called once the model has been read.
   * @throws {Error} one line, if it is not the model that a row file belongs to
   */
  checkModel(): Promise<void>;
}

/**
 * Opens the output of a command.
 * @param isShared whether standard output carries other data, so that rows go to standard error
 * @returns undefined if the run to resume is already complete
 * @throws {Error} one line, if the file cannot be written, or belongs to another run
 */
export async function openRowOutput(
  kind: ImageKind,
  spec: TaskSpec,
  flags: ImageFlags,
  isShared: boolean,
): Promise<ModelOutput | undefined> {
  const format = formatOf(flags);
  const path = rowPathOf(flags);
  if (path === undefined) return { ...printedRows(format, kind, spec, isShared), checkModel: async () => {} };
  const { digest, isUntouched } = await identifyModel(spec.model);
  const { backend, options } = spec;
  const identity = { kind: spec.kind, model: digest, backend, options };
  const file = await openRowFile({ path, format, kind, resume: flags.resume ?? false, identity });
  if (!file) return undefined;
  const checkModel = async () => {
    if (!(await isUntouched())) throw new Error(`${spec.model}: the model was changed while it was read`);
  };
  return { ...file, checkModel };
}

/** A document starts with its first row: a command that fails prints nothing. */
function printedRows(format: RowFormat, kind: ImageKind, spec: TaskSpec, isShared: boolean): RowOutput {
  let writer: Promise<RowWriter> | undefined;
  let isComplete = false;
  const tally = new RowTally();
  const begun = () => {
    writer ??= rowWriter(format, kind, spec, async (bytes) => {
      if (isShared) note(String(bytes).trimEnd());
      else stream(String(bytes));
      await printed();
    });
    return writer;
  };
  return {
    tally,
    takeDone: () => false,
    write: async (row) => {
      await (await begun()).write(row);
      tally.add(row);
    },
    complete: async () => {
      await (await begun()).end();
      isComplete = true;
    },
    // After an early end the document is still valid, with the rows so far.
    close: async () => {
      if (!isComplete) await (await writer)?.end();
    },
  };
}
