/** Common parts of commands over images: inputs, outputs, messages. */
import { stat } from 'node:fs/promises';
import type { CliBackend } from '../backend.js';
import { type ImageInput, imageInputs, lookAhead } from '../many_images/inputs.js';
import { kindOf } from '../many_images/kinds.js';
import { type FailedRow, type ImageRow, isFailed } from '../many_images/rows/row.js';
import type { RowOutput } from '../many_images/rows/row_file.js';
import { describeRow, type RowFormat } from '../many_images/rows/row_writer.js';
import { runImages } from '../many_images/run_images.js';
import { openRunner } from '../many_images/runner.js';
import type { ImageKind, TaskSpec } from '../many_images/task.js';
import { warn } from './backend.js';
import { BAD_USAGE, checkImages, Failure, partlyFailed } from './failure.js';
import type { ImageFlags } from './image_options.js';
import { ImageOutput } from './image_output.js';
import { Interruption } from './interruption.js';
import { countBar, ImageBar } from './progress.js';
import { formatOf, openRowOutput, rowPathOf } from './row_output.js';
import { withSmallHeap } from './small_heap.js';
import { inline, note, print, printsOnTerminal, standardInput } from './terminal.js';

type Row = ImageRow | FailedRow;

/** Outputs for drawn images, by the name of the option and of the input's field. */
type Outputs = Readonly<Record<string, ImageOutput>>;

/**
 * Runs a task over all inputs; prints a row for each, or writes it to a file.
 * @param drawn paths for drawn images, by the name of the option
 * @throws {Failure} with its own exit status, if some of several images fail, or after a signal
 */
export async function runImageCommand(
  spec: TaskSpec,
  files: readonly string[],
  flags: ImageFlags,
  drawn: Readonly<Record<string, string | undefined>> = {},
): Promise<void> {
  checkImages(files, flags.list);
  await withSmallHeap(() => runImagesOf(spec, files, flags, drawn));
}

async function runImagesOf(
  spec: TaskSpec,
  files: readonly string[],
  flags: ImageFlags,
  drawn: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const format = formatOf(flags);
  const kind = await kindOf(spec);
  const named = () => imageInputs(files, { list: flags.list, standardInput: standardInput() });
  const { first, all } = await lookAhead(named(), 2);
  const isSeveral = first.length > 1;
  const outputs = await outputsOf(drawn, isSeveral);
  const isShared = checkStandardOutput(outputs, rowPathOf(flags) === undefined && format !== 'text');
  const output = await openRowOutput(kind, spec, flags, isShared);
  if (!output) {
    print(`${inline(String(flags.rows), 4096)} is complete already; remove it to begin anew`);
    return;
  }
  const interruption = new Interruption();
  const showsBar = isSeveral && (rowPathOf(flags) !== undefined || !printsOnTerminal());
  const bar = await ImageBar.start(output.tally.rows, showsBar);
  const windows = await countBar('windows');
  try {
    if (await canBeReadTwice(files, flags)) bar?.count(named());
    const runner = await openRunner<ImageInput>(spec, {
      warn,
      workers: isSeveral ? await threadsOf(flags.workers, spec.backend) : 1,
      onPart: (done, total) => (isSeveral ? undefined : windows.update(done, total)),
    });
    try {
      await output.checkModel();
      const inputs = placed(all, outputs, output);
      const options = { batch: flags.batch ?? runner.batch, signal: interruption.signal };
      for await (const row of runImages(runner, inputs, options)) {
        windows.stop();
        // What a signal interrupts, such as a file being written, is repeated when the run is resumed.
        if (interruption.signal.aborted && isFailed(row)) continue;
        if (isFailed(row) && (!isSeveral || flags.strict)) throw new Error(row.error);
        await output.write(row);
        bar?.add();
        if (isLeftOut(row, format, kind, spec)) note(describeRow(kind, row));
      }
    } finally {
      await runner.dispose();
    }
    interruption.check(rowPathOf(flags) === undefined ? '' : `; --resume continues ${flags.rows}`);
    await output.complete();
    bar?.stop();
    const { rows, failed, firstError } = output.tally;
    const path = rowPathOf(flags);
    if (path !== undefined)
      (isShared ? note : print)(`${rows} rows written to ${inline(path, 4096)} (${runner.backend})`);
    if (failed > 0) throw partlyFailed(failed, rows, firstError);
  } finally {
    bar?.stop();
    windows.stop();
    interruption.dispose();
    await output.close();
  }
}

async function outputsOf(
  drawn: Readonly<Record<string, string | undefined>>,
  isSeveral: boolean,
): Promise<Outputs> {
  const outputs: Record<string, ImageOutput> = {};
  for (const [name, path] of Object.entries(drawn)) {
    if (path !== undefined) outputs[name] = await ImageOutput.of(`--${name}`, path, isSeveral);
  }
  return outputs;
}

/**
 * Whether an image goes to standard output.
 * @throws {Failure} bad usage, if other output goes there too
 */
function checkStandardOutput(outputs: Outputs, hasDocument: boolean): boolean {
  const taken = Object.values(outputs).filter(({ isStandardOutput }) => isStandardOutput).length;
  if (taken + (hasDocument ? 1 : 0) > 1) {
    const options = Object.keys(outputs).map((name) => `--${name}`);
    throw new Failure(BAD_USAGE, `standard output takes one of ${[...options, 'the results'].join(', ')}`);
  }
  return taken > 0;
}

/** Inputs that are not done yet, each with the paths of its drawn images. */
async function* placed(
  inputs: AsyncIterable<ImageInput>,
  outputs: Outputs,
  output: RowOutput,
): AsyncGenerator<ImageInput> {
  for await (const input of inputs) {
    const files: Record<string, string> = {};
    for (const [name, each] of Object.entries(outputs)) files[name] = await each.fileOf(input.file);
    if (!output.takeDone(input.file)) yield { ...input, ...files };
  }
}

/** The number of threads that `--workers` asks for. */
export async function threadsOf(workers: number | 'auto', backend: CliBackend): Promise<number> {
  return workers === 'auto' ? (await import('../many_images/pool.js')).threadsFor(backend) : workers;
}

/** Whether inputs can be counted while they are processed; a pipe can be read only once. */
async function canBeReadTwice(files: readonly string[], { list }: ImageFlags): Promise<boolean> {
  if (files.includes('-')) return false;
  return list === undefined || ((await stat(list).catch(() => undefined))?.isFile() ?? false);
}

/** Whether the row of a failed image is omitted from a document. */
function isLeftOut(row: Row, format: RowFormat, kind: ImageKind, { options }: TaskSpec): boolean {
  return format === 'json' && isFailed(row) && kind.elements?.(row, options).length === 0;
}
