/** Evaluates a classifier on labelled images: accuracy, calibration, and the confusion matrix. */
import { integer, refuse } from '../models/checks.js';
import type { Prediction } from '../models/grootv.js';
import { CALIBRATION_BINS, Calibration, type CalibrationQuality } from './calibration.js';
import { ConfusionMatrix, sumOf } from './mean_iou.js';

/** Number of best predictions considered. */
export const TOP = 5;

export interface ClassificationQuality {
  readonly images: number;
  /** Fraction of images whose label is the most probable class. */
  readonly top1: number;
  /** Fraction of images whose label is among the five most probable classes. */
  readonly top5: number;
  /** Mean of the per-class accuracies, so that every class has the same weight. */
  readonly meanClassAccuracy: number;
  /** Fraction of each class's images that are classified correctly; null if it has none. */
  readonly classAccuracy: readonly (number | null)[];
  readonly calibration: CalibrationQuality;
}

/** Accumulates predictions one by one; memory grows with the number of classes and of confused class pairs. */
export class ClassifierEvaluator {
  private readonly calibration: Calibration;
  private readonly images: Float64Array;
  private readonly right: Float64Array;
  /** Keyed by label times `classes` plus the most probable class. */
  private readonly taken = new Map<number, number>();
  private amongFive = 0;

  /** @param bins number of bins of the calibration */
  constructor(
    readonly classes: number,
    { bins = CALIBRATION_BINS }: { readonly bins?: number } = {},
  ) {
    integer(1, 2 ** 24)(classes, 'ClassifierEvaluator: classes');
    this.calibration = new Calibration(bins);
    [this.images, this.right] = [0, 1].map(() => new Float64Array(classes));
  }

  /**
   * Adds an image.
   * @param predictions by descending probability, such as a row of `GrootV.classify`: five, or all classes if there are
   *   fewer
   * @throws {Error} if there are fewer, or a class or probability is invalid; nothing has then been added.
   */
  add(label: number, predictions: readonly Pick<Prediction, 'index' | 'probability'>[]): void {
    const { classes } = this;
    const least = Math.min(TOP, classes);
    if (predictions.length < least) {
      refuse(predictions, 'ClassifierEvaluator: predictions', `at least ${least}, the best first`);
    }
    integer(0, classes - 1)(label, 'ClassifierEvaluator: the class of the image');
    const [{ index, probability }] = predictions;
    integer(0, classes - 1)(index, 'ClassifierEvaluator: the class of a prediction');
    this.calibration.add(probability, index === label);
    this.images[label]++;
    if (index === label) this.right[label]++;
    const pair = label * classes + index;
    this.taken.set(pair, (this.taken.get(pair) ?? 0) + 1);
    if (predictions.slice(0, TOP).some((prediction) => prediction.index === label)) this.amongFive++;
  }

  /** Returns counts by label and most probable class, `classes` x `classes` numbers. */
  confusion(): ConfusionMatrix {
    const { classes } = this;
    const matrix = new ConfusionMatrix(classes);
    const entries = [...this.taken].flatMap(([pair, count]) => [
      Math.floor(pair / classes),
      pair % classes,
      count,
    ]);
    matrix.addEntries(entries);
    return matrix;
  }

  quality(): ClassificationQuality {
    const images = sumOf(this.images);
    const classAccuracy = Array.from(this.right, (right, i) =>
      this.images[i] === 0 ? null : right / this.images[i],
    );
    const there = classAccuracy.filter((accuracy) => accuracy !== null);
    return {
      images,
      top1: sumOf(this.right) / images,
      top5: this.amongFive / images,
      meanClassAccuracy: sumOf(there) / there.length,
      classAccuracy,
      calibration: this.calibration.quality(),
    };
  }
}
