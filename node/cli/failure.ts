/** How commands fail: one clear line, and an exit status that scripts can tell apart. */
import { InvalidArgumentError } from 'commander';
import { inline } from './terminal.js';

/** Exit status of a command that failed, and of one that was called wrongly. */
export const FAILED = 1;
export const BAD_USAGE = 2;
/** Exit status where some of several inputs failed, each with a row of its own, and the others are done. */
export const PARTLY_FAILED = 3;

/** The packages that npm installs beside this one. */
const PEERS =
  '@tensorflow/tfjs-core @tensorflow/tfjs-converter @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm';

/** Characters of an error's message. */
const MESSAGE_CHARACTERS = 2000;

/** An error's message on one line, whatever it was. */
export function oneLine(error: unknown): string {
  const peer = missingPackage(error);
  if (peer?.startsWith('@tensorflow/')) return `the package ${peer} is not installed: npm install ${PEERS}`;
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, ' ').trim();
  return inline(line, MESSAGE_CHARACTERS) || 'failed for an unknown reason';
}

/** The package that an import did not find; undefined when that is not what went wrong. */
export function missingPackage(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined;
  return /(?:Cannot find (?:package|module) '|tried to access )(@?[\w-][\w./-]*)/.exec(message)?.[1];
}

/** Parses an integer argument of at least `least`. */
export function integerFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`expected an integer of at least ${least}.`);
    }
    return value;
  };
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
