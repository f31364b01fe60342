/** The interface of an evaluation: images for a task, and labels that the task's rows are compared with. */
import type { ConfusionMatrix } from '../../plugin/metrics/mean_iou.js';
import type { ImageInput } from '../images/image_files.js';
import type { ImageRow, TaskSpec } from '../many_images/task.js';

export interface Evaluation<Input extends ImageInput = ImageInput, Row extends ImageRow = ImageRow> {
  readonly task: Pick<TaskSpec, 'kind' | 'options'>;
  /** At least one. */
  readonly inputs: readonly Input[];
  /** How the classes of the data were mapped to those of the model. */
  readonly order: string;
  /**
   * Compares the row of an input. Rows arrive in input order, without those of bad images.
   * @throws {Error} one line, if they cannot be compared
   */
  add(row: Row, input: Input): void;
  /** The result for the rows so far. */
  result(): EvaluationResult;
  /** The confusion matrix, if each image or pixel has one class. */
  readonly confusion?: { matrix(): ConfusionMatrix; readonly names: readonly string[] };
}

export interface EvaluationResult {
  /** Plain data for JSON; undefined scores are null. */
  readonly scores: object;
  /** Text for the user. */
  readonly lines: readonly string[];
}

/** Class names; their indices if the model has no names. */
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

/** JSON has no NaN. */
export function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Two columns: names, and right-aligned values. */
export function columns(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const [names, values] = [0, 1].map((i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map(([name, value]) => `  ${name.padEnd(names)}  ${value.padStart(values)}`);
}
