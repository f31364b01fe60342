/** Runs a task in this process, or here and in worker threads. */
import type { ImageInput } from '../images/picture_files.js';
import { openTask } from './kinds.js';
import { readSharedModel, sharedFolder } from './shared_model.js';
import { BATCHES_OF_A_MODEL, type OpenOptions, type PictureRow, type Runner, type TaskSpec } from './task.js';
import { together } from './together.js';

export interface RunnerOptions extends Omit<OpenOptions, 'source'> {
  /** Number of models that run in parallel: the first in this thread, the others in threads of their own. Default 1. */
  readonly workers?: number;
}

/**
 * Opens a task.
 * @throws {Error} one line, if the backend or the model is not available
 */
export async function openRunner<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow>(
  spec: TaskSpec,
  { workers = 1, ...options }: RunnerOptions = {},
): Promise<Runner<Input, Row>> {
  if (workers === 1) return openHere(spec, options);
  const { openPool } = await import('./pool.js');
  const model = readSharedModel(spec.model);
  const source = model.then(sharedFolder);
  source.catch(() => {}); // it is awaited when the backend has started
  const opened = await Promise.allSettled([
    openPool<Input, Row>(spec, workers - 1, { model }),
    openHere<Input, Row>(spec, { ...options, source }),
  ]);
  const runners = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = opened.find((each) => each.status === 'rejected');
  if (!failed) return together(runners);
  await Promise.all(runners.map((runner) => runner.dispose()));
  throw failed.reason;
}

async function openHere<Input extends ImageInput, Row extends PictureRow>(
  spec: TaskSpec,
  options: OpenOptions,
): Promise<Runner<Input, Row>> {
  const task = await openTask<Input, Row>(spec, options);
  return {
    backend: task.backend,
    batch: task.batch,
    inFlight: BATCHES_OF_A_MODEL,
    run: (inputs) => task.run(inputs),
    dispose: async () => task.dispose(),
  };
}
