/** How good a classifier is on pictures whose classes are known: accuracy, calibration, and which class is taken for which. */
import { integer, refuse } from '../models/checks.js';
import type { Prediction } from '../models/grootv.js';
import { CALIBRATION_BINS, Calibration, type CalibrationQuality } from './calibration.js';
import { ConfusionMatrix } from './mean_iou.js';

/** Predictions that are looked at. */
export const TOP = 5;

export interface ClassificationQuality {
  readonly pictures: number;
  /** Share of the pictures whose class is the most probable one. */
  readonly top1: number;
  /** Share of the pictures whose class is among the five most probable ones. */
  readonly top5: number;
  /** Mean of the classes' accuracies, so that a rare class counts as much as any other. */
  readonly meanClassAccuracy: number;
  /** Share of each class's pictures that are right; null where there are none. */
  readonly classAccuracy: readonly (number | null)[];
  readonly calibration: CalibrationQuality;
}

/** Takes pictures one by one, and keeps as much for a million as for one: `classes` x `classes` counts. */
export class ClassifierEvaluator {
  /** By true class and most probable class. */
  readonly confusion: ConfusionMatrix;
  private readonly calibration: Calibration;
  private pictures = 0;
  private amongFive = 0;

  /** @param bins of the calibration */
  constructor(
    readonly classes: number,
    { bins = CALIBRATION_BINS }: { readonly bins?: number } = {},
  ) {
    this.confusion = new ConfusionMatrix(classes, { ignoreIndex: -1 });
    this.calibration = new Calibration(bins);
  }

  /**
   * Adds a picture.
   * @param predictions the best first, such as a row of `GrootV.classify`: five, or all classes where there are fewer
   * @throws {Error} when there are fewer, or a class or a probability is none; then nothing has been added
   */
  add(label: number, predictions: readonly Pick<Prediction, 'index' | 'probability'>[]): void {
    const least = Math.min(TOP, this.classes);
    if (predictions.length < least) {
      refuse(predictions, 'ClassifierEvaluator: predictions', `at least ${least}, the best first`);
    }
    integer(0, this.classes - 1)(label, 'ClassifierEvaluator: the class of the picture');
    const [{ index, probability }] = predictions;
    integer(0, this.classes - 1)(index, 'ClassifierEvaluator: the class of a prediction');
    this.calibration.add(probability, index === label);
    this.confusion.add([label], [index]);
    this.pictures++;
    if (predictions.slice(0, TOP).some((prediction) => prediction.index === label)) this.amongFive++;
  }

  quality(): ClassificationQuality {
    const { pixelAccuracy, meanAccuracy, classAccuracy } = this.confusion.quality();
    return {
      pictures: this.pictures,
      top1: pixelAccuracy,
      top5: this.amongFive / this.pictures,
      meanClassAccuracy: meanAccuracy,
      classAccuracy,
      calibration: this.calibration.quality(),
    };
  }
}
