/** Failures of commands: a one-line message, and distinct exit statuses for scripts. */
import { CommanderError, InvalidArgumentError } from 'commander';
import { missingPackage, oneLine } from '../error_line.js';
import { consoleText, note } from './terminal.js';

export { missingPackage, oneLine };

const DONE = 0;
/** Exit status of a command that failed, and of bad usage. */
export const FAILED = 1;
export const BAD_USAGE = 2;
/** Exit status if some of several inputs failed, each with its own row, and the others are done. */
export const PARTLY_FAILED = 3;

/** Ends a command with a given exit status; without a message if the command has already printed everything. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    message = '',
  ) {
    super(message);
  }
}

/**
 * Prints why the command line ended with an error, unless everything has been printed.
 * @param stack whether to print the stack
 * @returns the exit status
 */
export function report(error: unknown, stack = false): number {
  // Help and version are not errors; commander has already printed its message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : BAD_USAGE;
  // An output of --output or --out whose reader has gone.
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE') return DONE;
  const { status, message } = error instanceof Failure ? error : new Failure(FAILED, oneLine(error));
  if (message !== '') note(stack ? consoleText(error) : `grootvl: ${message}`);
  return status;
}

/** A failure with its own exit status: some of several images failed. */
export function partlyFailed(failed: number, total: number, first: string): Failure {
  return new Failure(PARTLY_FAILED, `${failed} of ${total} images failed; the first: ${first}`);
}

/** Parses an integer argument between `least` and `most`. */
export function integerFrom(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const expected = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`expected an integer ${expected}.`);
    }
    return value;
  };
}

/** Parses a finite number that `isRight` accepts, which `expected` describes. */
function numberThat(expected: string, isRight: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || !isRight(value)) {
      throw new InvalidArgumentError(`expected a number${expected}.`);
    }
    return value;
  };
}

/** Parses any finite number. */
export const anyNumber = numberThat('', () => true);

/** Parses a number from `least` to `most`. */
export function numberFrom(least: number, most = Number.MAX_VALUE): (text: string) => number {
  const expected = most === Number.MAX_VALUE ? ` of at least ${least}` : ` from ${least} to ${most}`;
  return numberThat(expected, (value) => value >= least && value <= most);
}

/** Parses a number greater than `bound`. */
export function numberAbove(bound: number): (text: string) => number {
  return numberThat(` above ${bound}`, (value) => value > bound);
}

/** Parses a number from 0 to 1. */
export const fraction = numberFrom(0, 1);

/** Parses a text of the given form, which `expected` describes. */
export function textLike(form: RegExp, expected: string): (text: string) => string {
  return (text) => {
    if (form.test(text)) return text;
    throw new InvalidArgumentError(`expected ${expected}.`);
  };
}

/** @throws {Failure} bad usage, if neither images nor a list of them is given */
export function checkImages(images: readonly string[], list: string | undefined): void {
  if (images.length > 0 || list !== undefined) return;
  throw new Failure(
    BAD_USAGE,
    "missing required argument 'image': expected images, folders, - or --list <file>",
  );
}

/** Parses the path of an output file; `-` is standard output. */
export function outputOf(text: string): string {
  return text === '-' ? '/dev/stdout' : pathOf(text);
}

/** Parses the path of a file or folder. */
export function pathOf(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a path, the text is empty.');
  if (text.includes('\0')) throw new InvalidArgumentError('a path has no NUL character in it.');
  return text;
}
