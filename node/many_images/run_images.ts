/** Runs many inputs through a task: in batches, few of them at a time, with rows in input order. */
import type { ImageInput } from '../images/image_files.js';
import { takeInto } from './inputs.js';
import type { FailedRow, ImageRow, Runner } from './task.js';

export interface RunOptions {
  /** Batch size; at least 1. */
  readonly batch: number;
  /** Once it is aborted, no more inputs are taken; batches in progress are completed. */
  readonly signal?: AbortSignal;
}

/**
 * A row for each input, in order. Inputs are taken as batches complete and as rows are consumed, so that memory does not grow
 * with their number.
 * @throws {Error} errors of the inputs or of a batch, after the rows of all other batches in progress
 */
export async function* runImages<Input extends ImageInput, Row extends ImageRow>(
  runner: Pick<Runner<Input, Row>, 'run' | 'inFlight'>,
  inputs: AsyncIterable<Input>,
  { batch, signal }: RunOptions,
): AsyncGenerator<Row | FailedRow> {
  const source = inputs[Symbol.asyncIterator]();
  const begun: Promise<Outcome<Row>>[] = [];
  const failures: unknown[] = [];
  let next: Promise<Taken<Input>> | undefined;
  let isEnd = false;
  try {
    while (true) {
      isEnd ||= signal?.aborted === true || failures.length > 0;
      if (!isEnd && begun.length < runner.inFlight) {
        next ??= take(source, batch);
        const event = await firstOf<Taken<Input> | Outcome<Row>>([next, ...begun.slice(0, 1)], signal);
        if (event === undefined) continue;
        if ('taken' in event) {
          next = undefined;
          isEnd = event.taken.length < batch;
          if ('failure' in event) failures.push(event.failure);
          if (event.taken.length > 0) begun.push(outcomeOf(runner.run(event.taken)));
          continue;
        }
      }
      const first = begun.shift();
      if (!first) break;
      const outcome = await first;
      if ('rows' in outcome) yield* outcome.rows;
      else failures.push(outcome.failure);
    }
  } finally {
    // Not awaited: a list whose writer is waiting would never end.
    source.return?.().catch(() => {});
    await Promise.all(begun);
  }
  if (failures.length > 0) throw failures[0];
}

interface Taken<Input> {
  /** Fewer than a batch at the end of the inputs. */
  readonly taken: readonly Input[];
  readonly failure?: unknown;
}

type Outcome<Row> = { readonly rows: readonly (Row | FailedRow)[] } | { readonly failure: unknown };

function outcomeOf<Row>(rows: Promise<(Row | FailedRow)[]>): Promise<Outcome<Row>> {
  return rows.then(
    (rows) => ({ rows }),
    (failure) => ({ failure }),
  );
}

async function take<Input>(source: AsyncIterator<Input>, count: number): Promise<Taken<Input>> {
  const taken: Input[] = [];
  try {
    await takeInto(taken, source, count);
    return { taken };
  } catch (failure) {
    return { taken, failure };
  }
}

/** The first event; undefined if that is the signal. */
async function firstOf<T>(events: readonly Promise<T>[], signal?: AbortSignal): Promise<T | undefined> {
  let abort = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    abort = () => resolve(undefined);
  });
  // A listener per call: promises that are raced repeatedly keep everything that has waited for them.
  signal?.addEventListener('abort', abort);
  try {
    return await Promise.race([...events, stopped]);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
