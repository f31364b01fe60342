/** A worker thread of a pool: with its own tfjs, its own backend, and its own copy of the model. */
import { workerData } from 'node:worker_threads';
import { oneLine } from '../error_line.js';
import type { ImageInput } from '../images/image_files.js';
import { multiline } from '../printable.js';
import { type SharedModel, sharedFolder } from './shared_model.js';
import type { FailedRow, ImageRow, Task, TaskSpec } from './task.js';

/** Messages from a pool to a thread. */
export type PoolMessage = { readonly open: SharedModel } | { readonly inputs: readonly ImageInput[] };

export interface Opened extends Pick<Task, 'backend' | 'batch'> {
  /** Warnings for the user. */
  readonly warnings: readonly string[];
}

// Awaited, so that the pool imports this module: it tries `require` first, which would load all other modules a second time.
const { openTask } = await import('./kinds.js');
const { spec } = workerData as { readonly spec: TaskSpec };

// Standard output is reserved for rows.
for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const) {
  console[method] = (...values) => process.stderr.write(`${multiline(values.map(String).join(' '))}\n`);
}

const warnings: string[] = [];
let give: (model?: SharedModel) => void = () => {};
const given = new Promise<SharedModel | undefined>((resolve) => {
  give = resolve;
});
// The backend starts while the model is read.
const opening = openTask(spec, {
  source: given.then((model) => model && sharedFolder(model)),
  warn: (line) => warnings.push(line),
});
opening.catch(() => {}); // reported to whoever asks

/** An error, as one line. Not an Error object: copies of those have no code, and a thread that ends gives one as well. */
export interface ThreadFailure {
  readonly failure: string;
}

export default async function answer(
  message: PoolMessage,
): Promise<Opened | (ImageRow | FailedRow)[] | ThreadFailure> {
  try {
    // A thread that replaced another reads the model itself.
    give('open' in message ? message.open : undefined);
    const { backend, batch, run } = await opening;
    return 'open' in message ? { backend, batch, warnings } : await run(message.inputs);
  } catch (error) {
    return { failure: oneLine(error) };
  }
}
