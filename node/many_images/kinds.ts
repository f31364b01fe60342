/** The kinds of task, by name. To add one, add a file in `tasks/` and an entry here. */
import type { ImageInput } from '../images/image_files.js';
import type { ImageKind, ImageRow, OpenOptions, Task, TaskKind, TaskSpec } from './task.js';

const KINDS = {
  classify: async () => (await import('./tasks/classify.js')).CLASSIFY,
  segment: async () => (await import('./tasks/segment.js')).SEGMENT,
  detect: async () => (await import('./tasks/detect.js')).DETECT,
};

/** Kinds whose rows are compared with labels. */
const EVALUATIONS = {
  'evaluate-digits': async () => (await import('./tasks/evaluate_digits.js')).EVALUATE_DIGITS,
  'evaluate-pixels': async () => (await import('./tasks/evaluate_pixels.js')).EVALUATE_PIXELS,
  'evaluate-objects': async () => (await import('./tasks/evaluate_objects.js')).EVALUATE_OBJECTS,
};

const ALL = { ...KINDS, ...EVALUATIONS };

/** @throws {Error} for a name that is not a kind with printable rows, such as one of a later version */
export async function kindOf({ kind }: Pick<TaskSpec, 'kind'>): Promise<ImageKind> {
  return (await entryOf(KINDS, kind)()) as ImageKind;
}

function entryOf<Kinds extends object>(kinds: Kinds, kind: string): Kinds[keyof Kinds] {
  if (Object.hasOwn(kinds, kind)) return kinds[kind as keyof Kinds];
  throw new Error(`there is no kind of task '${kind}'; expected ${Object.keys(kinds).join(', ')}`);
}

/**
 * Starts the backend and loads the model of a task.
 * @throws {Error} one line, if the backend or the model is not available
 */
export async function openTask<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow>(
  spec: TaskSpec,
  options: OpenOptions = {},
): Promise<Task<Input, Row>> {
  const kind = (await entryOf(ALL, spec.kind)()) as TaskKind;
  return (await kind.open(spec, options)) as unknown as Task<Input, Row>;
}
