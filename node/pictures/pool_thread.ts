/** A worker thread of a pool: with its own tfjs, its own backend, and its own copy of the model. */
import { workerData } from 'node:worker_threads';
import { oneLine } from '../error_line.js';
import type { ImageInput } from '../images/picture_files.js';
import { multiline } from '../printable.js';
import { type SharedModel, sharedFolder } from './shared_model.js';
import type { FailedRow, PictureRow, Task, TaskSpec } from './task.js';

/** Messages from a pool to a thread. */
export type PoolMessage = { readonly open: SharedModel } | { readonly inputs: readonly ImageInput[] };

export interface Opened extends Pick<Task, 'backend' | 'batch'> {
  /** Warnings for the user. */
  readonly warnings: readonly string[];
}

// Awaited, so that the pool imports this module: it tries `require` first, which would load all other modules a second time.
const { openTask } = await import('./kinds.js');
const { spec } = workerData as { readonly spec: TaskSpec };
let opening: Promise<Task> | undefined;

// Standard output is reserved for rows.
for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const) {
  console[method] = (...values) => process.stderr.write(`${multiline(values.map(String).join(' '))}\n`);
}

/** An error, as one line. Not an Error object: copies of those have no code, and a thread that ends gives one as well. */
export interface ThreadFailure {
  readonly failure: string;
}

export default async function answer(
  message: PoolMessage,
): Promise<Opened | (PictureRow | FailedRow)[] | ThreadFailure> {
  try {
    if ('open' in message) return await opened(message.open);
    // A thread that replaced another reads the model itself.
    opening ??= openTask(spec);
    return await (await opening).run(message.inputs);
  } catch (error) {
    return { failure: oneLine(error) };
  }
}

async function opened(model: SharedModel): Promise<Opened> {
  const warnings: string[] = [];
  opening = openTask(spec, { source: sharedFolder(model), warn: (line) => warnings.push(line) });
  const { backend, batch } = await opening;
  return { backend, batch, warnings };
}
