/** Losses of classifiers. */
import { add, logSoftmax, mean, mul, neg, type Scalar, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { options as checkOptions, number } from '../models/checks.js';
import { oneHotRows } from '../one_hot.js';

export interface CrossEntropyOptions {
  /** Probability from 0 to 1 that is spread evenly over all classes; default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Mean over the batch of the cross-entropy of logits, as torch.nn.functional.cross_entropy.
 * @param logits [..., C] float32
 * @param targets classes [...] int32, or probabilities [..., C] float32
 * @throws {Error} when the shapes do not fit
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Scalar {
  checkOptions(options, 'crossEntropy', { labelSmoothing: number(0, 1) });
  const { labelSmoothing = 0 } = options;
  const classes = logits.shape[logits.rank - 1];
  const isLabels = targets.dtype === 'int32';
  const expected = isLabels ? logits.shape.slice(0, -1) : logits.shape;
  if (`${targets.shape}` !== `${expected}`) {
    throw new Error(
      `crossEntropy: targets are ${targets.dtype} [${targets.shape}], expected int32 [${logits.shape.slice(0, -1)}] or ` +
        `float32 [${logits.shape}] for logits [${logits.shape}]`,
    );
  }
  return tidy(() => {
    const probabilities = isLabels ? oneHotRows(targets, classes) : targets;
    const smooth =
      labelSmoothing === 0
        ? probabilities
        : add(mul(probabilities, 1 - labelSmoothing), labelSmoothing / classes);
    return neg(mean(sum(mul(smooth, logSoftmax(logits)), -1))) as Scalar;
  });
}
