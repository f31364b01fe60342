/** How commands fail: one clear line, and an exit status that scripts can tell apart. */
import { InvalidArgumentError } from 'commander';

/** Exit status of a command that failed, and of one that was called wrongly. */
export const FAILED = 1;
export const BAD_USAGE = 2;

/** An error's message on one line, whatever it was. */
export function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, ' ').trim() || 'failed for an unknown reason';
}

/** Parses an integer argument of at least `least`. */
export function integerFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`wanted an integer of at least ${least}.`);
    }
    return value;
  };
}
