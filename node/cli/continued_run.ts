/** What --resume requires: the options that the run began with, the same model, the same data. */
import { type BinaryLike, createHash } from 'node:crypto';
import type { RunRecord } from '../training_run.js';
import { BAD_USAGE, Failure } from './failure.js';

/**
 * The options that a run began with.
 * @param isGiven whether an option is on the command line
 * @param free options that may change, since none of them affects a weight
 * @throws {Failure} bad usage, if others are given
 */
export function recordedOptions<Options extends object>(
  { options: recorded }: RunRecord,
  given: Options,
  isGiven: (name: string) => boolean,
  free: ReadonlySet<keyof Options>,
): Options {
  const merged = { ...given } as Record<string, unknown>;
  const names = [...new Set([...Object.keys(recorded), ...Object.keys(given)])];
  for (const name of names.filter((name) => !free.has(name as keyof Options))) {
    const before = recorded[name];
    if (isGiven(name) && JSON.stringify(merged[name]) !== JSON.stringify(before)) {
      const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      throw new Failure(
        BAD_USAGE,
        `--${flag}: the run began with ${before === undefined ? 'none' : JSON.stringify(before)}; a continued run has the ` +
          'same options, which need not be given',
      );
    }
    merged[name] = before;
  }
  return merged as Options;
}

/** The record of a new run. @param data digested to tell whether they are the same */
export function recordOf(
  { metadata }: { readonly metadata: { readonly source?: { readonly sha256: string } | null } },
  options: object,
  data: BinaryLike,
): RunRecord {
  const digest = createHash('sha256').update(data).digest('hex');
  return { version: 1, options: { ...options }, model: metadata.source?.sha256 ?? '', data: digest };
}

/** @throws {Error} if a run would continue with another model or other data */
export function checkSame(recorded: RunRecord, { model, data }: Pick<RunRecord, 'model' | 'data'>): void {
  if (recorded.model !== model) throw new Error('--resume: the model is another than the run began with');
  if (recorded.data !== data) throw new Error('--resume: the data are others than the run began with');
}
