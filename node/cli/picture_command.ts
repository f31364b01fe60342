/** What commands over pictures have in common: their inputs, their options, their rows. */
import { type Command, Option } from 'commander';
import type { CliBackend } from '../backend.js';
import { imageInputs } from '../pictures/inputs.js';
import { kindOf } from '../pictures/kinds.js';
import { ROW_FORMATS, type RowFormat, rowWriter } from '../pictures/rows/row_writer.js';
import { runPictures } from '../pictures/run_pictures.js';
import { openInProcess } from '../pictures/runner.js';
import { type FailedRow, isFailed, type PictureRow, type TaskSpec } from '../pictures/task.js';
import { warn } from './backend.js';
import { BAD_USAGE, Failure, integerFrom, PARTLY_FAILED, pathOf } from './failure.js';
import { printed, standardInput, stream } from './terminal.js';

/** Options of all commands over pictures. */
export interface PictureFlags {
  readonly backend: CliBackend;
  readonly batch?: number;
  readonly list?: string;
  readonly format?: RowFormat;
  readonly json?: boolean;
  readonly strict?: boolean;
}

/** Adds the options of {@link PictureFlags} but `--backend`. */
export function withPictureOptions(command: Command): Command {
  return command
    .option(
      '--list <file>',
      'a file with names of pictures, folders and URLs: one a line, or ended by NUL characters',
      pathOf,
    )
    .option('--batch <n>', 'pictures that go through the model at a time', integerFrom(1))
    .addOption(
      new Option('--format <name>', 'of the results').choices(ROW_FORMATS).default('text').conflicts('json'),
    )
    .option('--json', 'print one JSON document, as --format json does')
    .option('--strict', 'stop at the first picture that fails, with status 1');
}

/** Does a task for all inputs and prints the rows. */
export async function runPictureCommand(
  spec: TaskSpec,
  files: readonly string[],
  flags: PictureFlags,
): Promise<void> {
  if (files.length === 0 && flags.list === undefined) {
    throw new Failure(
      BAD_USAGE,
      "missing required argument 'image': expected pictures, folders, - or --list",
    );
  }
  const kind = await kindOf(spec);
  const runner = await openInProcess(spec, { warn });
  try {
    const inputs = imageInputs(files, { list: flags.list, standardInput: standardInput() });
    const rows = runPictures(runner, inputs, { batch: flags.batch ?? kind.batch });
    const format = flags.json ? 'json' : (flags.format ?? 'text');
    const writer = await rowWriter(format, kind, spec, async (bytes) => {
      stream(String(bytes));
      await printed();
    });
    const counts = new Counts();
    for await (const row of severalOrThrown(rows, flags.strict)) {
      counts.add(row);
      await writer.write(row);
    }
    await writer.end();
    counts.check();
  } finally {
    await runner.dispose();
  }
}

/** The same rows. The error of a single picture is the command's, and with `strict` that of any. */
async function* severalOrThrown(
  rows: AsyncIterable<PictureRow | FailedRow>,
  strict = false,
): AsyncGenerator<PictureRow | FailedRow> {
  let held: FailedRow | undefined;
  let count = 0;
  for await (const row of rows) {
    count++;
    if (isFailed(row) && strict) throw new Error(row.error);
    if (isFailed(row) && count === 1) {
      held = row;
      continue;
    }
    if (held) yield held;
    held = undefined;
    yield row;
  }
  if (held) throw new Error(held.error);
}

/** How many rows there were, and what went wrong. */
class Counts {
  private total = 0;
  private failed = 0;
  private first = '';

  add(row: PictureRow | FailedRow): void {
    this.total++;
    if (!isFailed(row)) return;
    if (this.failed++ === 0) this.first = row.error;
  }

  /** @throws {Failure} with a status of its own where some pictures failed */
  check(): void {
    if (this.failed === 0) return;
    throw new Failure(
      PARTLY_FAILED,
      `${this.failed} of ${this.total} pictures failed; the first: ${this.first}`,
    );
  }
}
