/** Runs a task in this process or in worker threads. */
import type { ImageInput } from '../images/image_files.js';
import { openTask } from './kinds.js';
import { BATCHES_OF_A_MODEL, type ImageRow, type OpenOptions, type Runner, type TaskSpec } from './task.js';

export interface RunnerOptions extends Omit<OpenOptions, 'source'> {
  /** Number of worker threads, from 2. With 1, the default, the task is opened in this process. */
  readonly workers?: number;
}

/**
 * Opens a task.
 * @throws {Error} one line, if the backend or the model is not available
 */
export async function openRunner<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow>(
  spec: TaskSpec,
  { workers = 1, ...options }: RunnerOptions = {},
): Promise<Runner<Input, Row>> {
  if (workers > 1) return (await import('./pool.js')).openPool(spec, workers, options);
  const task = await openTask<Input, Row>(spec, options);
  return {
    backend: task.backend,
    batch: task.batch,
    inFlight: BATCHES_OF_A_MODEL,
    run: (inputs) => task.run(inputs),
    dispose: async () => task.dispose(),
  };
}
