/**
 * Calibration of a classifier: the expected calibration error (C. Guo et al., 2017), which compares confidence and accuracy.
 */
import { integer, number } from '../models/checks.js';

/** Number of bins of equal width, as in the paper. */
export const CALIBRATION_BINS = 15;

/** Predictions whose confidence is above `from` and at most `to`. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the predicted class; null in an empty bin. */
  readonly confidence: number | null;
  /** Fraction of correct predictions; null in an empty bin. */
  readonly accuracy: number | null;
}

export interface CalibrationQuality {
  /** Mean difference between confidence and accuracy over the bins, weighted by their counts; NaN without predictions. */
  readonly expectedError: number;
  /** The largest difference. */
  readonly largestError: number;
  readonly bins: readonly CalibrationBin[];
}

/** Accumulates predictions one by one; keeps three sums per bin. */
export class Calibration {
  private readonly counts: Float64Array;
  private readonly confidences: Float64Array;
  private readonly right: Float64Array;

  /** @param bins number of bins of equal width, from 0 to 1 */
  constructor(readonly bins = CALIBRATION_BINS) {
    integer(1, 10_000)(bins, 'Calibration: bins');
    [this.counts, this.confidences, this.right] = [0, 1, 2].map(() => new Float64Array(bins));
  }

  /**
   * Adds a prediction.
   * @param confidence the probability of the predicted class
   * @throws {Error} if the confidence is not from 0 to 1; up to 1e-6 above, as for sums of float32, it counts as 1.
   */
  add(confidence: number, isRight: boolean): void {
    number(0, 1 + 1e-6)(confidence, 'Calibration: confidence');
    const value = Math.min(confidence, 1);
    const bin = Math.max(0, Math.ceil(value * this.bins) - 1);
    this.counts[bin]++;
    this.confidences[bin] += value;
    if (isRight) this.right[bin]++;
  }

  quality(): CalibrationQuality {
    const { counts, bins } = this;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const distances = Array.from(counts, (count, i) =>
      count === 0 ? 0 : Math.abs(this.confidences[i] - this.right[i]) / count,
    );
    return {
      expectedError: distances.reduce((sum, distance, i) => sum + distance * counts[i], 0) / total,
      largestError: total === 0 ? Number.NaN : Math.max(...distances),
      bins: Array.from(counts, (count, i) => ({
        from: i / bins,
        to: (i + 1) / bins,
        count,
        confidence: count === 0 ? null : this.confidences[i] / count,
        accuracy: count === 0 ? null : this.right[i] / count,
      })),
    };
  }
}
