/** Whether a classifier is as often right as it says: the expected calibration error (C. Guo et al., 2017). */
import { integer, number } from '../models/checks.js';

/** Bins of equal width, as in the paper. */
export const CALIBRATION_BINS = 15;

/** Predictions whose confidence is above `from` and not above `to`. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the class that was predicted; null in an empty bin. */
  readonly confidence: number | null;
  /** Share of the predictions that are right; null in an empty bin. */
  readonly accuracy: number | null;
}

export interface CalibrationQuality {
  /** Mean of the bins' distances between confidence and accuracy, weighted by their counts; NaN without predictions. */
  readonly expectedError: number;
  /** The largest of these distances. */
  readonly largestError: number;
  readonly bins: readonly CalibrationBin[];
}

/** Takes predictions one by one and keeps three sums a bin. */
export class Calibration {
  private readonly counts: Float64Array;
  private readonly confidences: Float64Array;
  private readonly right: Float64Array;

  /** @param bins of equal width, from 0 to 1 */
  constructor(readonly bins = CALIBRATION_BINS) {
    integer(1, 10_000)(bins, 'Calibration: bins');
    [this.counts, this.confidences, this.right] = [0, 1, 2].map(() => new Float64Array(bins));
  }

  /**
   * Adds a prediction.
   * @param confidence the probability of the class that was predicted
   * @throws {Error} when the confidence is not from 0 to 1; up to 1e-6 beyond, as sums of float32 are, it counts as 1
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
