/** Options of all commands over images. */
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CliBackend } from '../backend.js';
import { ROW_FORMATS, type RowFormat } from '../many_images/rows/row_writer.js';
import { integerFrom, outputOf, pathOf } from './failure.js';

export interface ImageFlags {
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

/** Adds the options of {@link ImageFlags} except `--backend`. */
export function withImageOptions(command: Command): Command {
  return withWorkers(command)
    .option(
      '--list <file>',
      'a file with names of images, folders and URLs: one per line, or each terminated by NUL',
      pathOf,
    )
    .option('--batch <n>', 'batch size', batchSize)
    .addOption(
      new Option(
        '--format <name>',
        'format of the results (default: by the extension of their file, else text)',
      )
        .choices(ROW_FORMATS)
        .conflicts('json'),
    )
    .option('--json', 'print one JSON document, same as --format json')
    .option('--rows <file>', 'write the results to a file, which is complete or absent', outputOf)
    .option('--resume', 'resume a run that writes to a file and ended early')
    .option('--strict', 'stop at the first image that fails, with exit status 1');
}

/** Adds `--workers`. */
export function withWorkers(command: Command): Command {
  return command.option(
    '--workers <n>',
    'number of threads, each with its own model; auto: one per core',
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
