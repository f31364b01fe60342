/** What an evaluation is: pictures for a task, and what the task's rows are compared with. */
import type { ConfusionMatrix } from '../../plugin/metrics/mean_iou.js';
import type { ImageInput } from '../images/picture_files.js';
import type { PictureRow, TaskSpec } from '../pictures/task.js';

export interface Evaluation<Input extends ImageInput = ImageInput, Row extends PictureRow = PictureRow> {
  readonly task: Pick<TaskSpec, 'kind' | 'options'>;
  /** At least one. */
  readonly inputs: readonly Input[];
  /** How it was found out which class of the data is which class of the model. */
  readonly order: string;
  /**
   * Compares the row of an input. Rows come in the order of the inputs; those of bad pictures do not come.
   * @throws {Error} one line, when they cannot be compared
   */
  add(row: Row, input: Input): void;
  /** Of the rows so far. */
  result(): EvaluationResult;
  /** Which class is taken for which, where pictures or pixels have one class each. */
  readonly confusion?: { matrix(): ConfusionMatrix; readonly names: readonly string[] };
}

export interface EvaluationResult {
  /** Plain data for JSON; what cannot be said is null. */
  readonly scores: object;
  /** For a person. */
  readonly lines: readonly string[];
}

/** Names of classes; where a model has none, their numbers. */
export function labelsOf({
  classes,
  names,
}: {
  classes: number;
  names: readonly string[] | null;
}): readonly string[] {
  return names ?? Array.from({ length: classes }, (_, i) => String(i));
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(2)} %` : '-';
}

/** NaN is no JSON. */
export function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Two columns: names, and values that end below one another. */
export function columns(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const [names, values] = [0, 1].map((i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map(([name, value]) => `  ${name.padEnd(names)}  ${value.padStart(values)}`);
}
