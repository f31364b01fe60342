/** Where a task works: in this process, or in threads. */
import type { StartedBackend } from '../backend.js';
import type { ImageInput } from '../images/picture_files.js';
import { openTask } from './kinds.js';
import type { FailedRow, OpenOptions, PictureRow, TaskSpec } from './task.js';

/** An opened task that takes batches of inputs. */
export interface Runner<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow> {
  readonly backend: StartedBackend;
  /** Batches that it works on at a time, those included whose pictures are read meanwhile. */
  readonly inFlight: number;
  /** @throws {Error} when the thread that worked on it has ended */
  run(inputs: readonly Input[]): Promise<(Row | FailedRow)[]>;
  dispose(): Promise<void>;
}

/**
 * Opens a task in this process.
 * @throws {Error} one line, when the backend or the model cannot be had
 */
export async function openInProcess<
  Input extends ImageInput = ImageInput,
  Row extends PictureRow = PictureRow,
>(spec: TaskSpec, options: OpenOptions = {}): Promise<Runner<Input, Row>> {
  const task = await openTask<Input, Row>(spec, options);
  return {
    backend: task.backend,
    inFlight: 2, // the pictures of one are read while the model works on the other
    run: (inputs) => task.run(inputs),
    dispose: async () => task.dispose(),
  };
}
