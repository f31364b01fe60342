/** Options of all commands over images. */
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CliBackend } from '../backend.js';
import { ROW_FORMATS, type RowFormat } from '../pictures/rows/row_writer.js';
import { integerFrom, outputOf, pathOf } from './failure.js';

export interface PictureFlags {
  readonly backend: CliBackend;
  readonly list?: string;
  readonly batch?: number;
  readonly workers: number | 'auto';
  readonly format?: RowFormat;
  readonly json?: boolean;
  /** The output file for rows. */
  readonly rows?: string;
  readonly resume?: boolean;
  readonly strict?: boolean;
}

/** Parses the number of images that are in memory together. */
export const batchSize = integerFrom(1, 10_000);
/** Parses the number of classes to list; in a table, each takes columns. */
export const classCount = integerFrom(1, 100_000);

/** A useful maximum: each thread takes memory for a model. */
const MOST_WORKERS = 8 * availableParallelism();

/** Adds the options of {@link PictureFlags} except `--backend`. */
export function withPictureOptions(command: Command): Command {
  return withWorkers(command)
    .option(
      '--list <file>',
      'a file with names of pictures, folders and URLs: one a line, or each ended by a NUL character',
      pathOf,
    )
    .option('--batch <n>', 'pictures that go through the model at a time', batchSize)
    .addOption(
      new Option('--format <name>', 'of the results (default: as the name of their file ends, else text)')
        .choices(ROW_FORMATS)
        .conflicts('json'),
    )
    .option('--json', 'one JSON document, as --format json')
    .option('--rows <file>', 'where the results go: a file that is complete or not there', outputOf)
    .option('--resume', 'continue a run to a file that ended early')
    .option('--strict', 'stop at the first picture that fails, with status 1');
}

/** Adds `--workers`. */
export function withWorkers(command: Command): Command {
  return command.option(
    '--workers <n>',
    'threads, each with a model of its own; auto: one a core',
    workersOf,
    1,
  );
}

function workersOf(text: string): number | 'auto' {
  if (text === 'auto') return text;
  try {
    return integerFrom(1, MOST_WORKERS)(text);
  } catch {
    throw new InvalidArgumentError(`expected an integer from 1 to ${MOST_WORKERS} (8 a core), or auto.`);
  }
}
