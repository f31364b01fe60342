/** The kinds of task, by name. One more kind: a file in `tasks/` and an entry here. */
import type { ImageInput } from '../images/picture_files.js';
import type { OpenOptions, PictureKind, PictureRow, Task, TaskSpec } from './task.js';

const KINDS = {
  classify: async () => (await import('./tasks/classify.js')).CLASSIFY,
};

/** @throws {Error} for a name that no kind has, such as one of a later version */
export async function kindOf({ kind }: Pick<TaskSpec, 'kind'>): Promise<PictureKind> {
  if (!Object.hasOwn(KINDS, kind)) {
    throw new Error(`there is no kind of task '${kind}'; expected ${Object.keys(KINDS).join(', ')}`);
  }
  return (await KINDS[kind as keyof typeof KINDS]()) as PictureKind;
}

/**
 * Starts the backend and loads the model of a task.
 * @throws {Error} one line, when the backend or the model cannot be had
 */
export async function openTask<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow>(
  spec: TaskSpec,
  options: OpenOptions = {},
): Promise<Task<Input, Row>> {
  const kind = await kindOf(spec);
  return (await kind.open(spec, options)) as unknown as Task<Input, Row>;
}
