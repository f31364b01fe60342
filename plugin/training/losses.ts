/** Losses for classification of images, pixels or tokens. */
import {
  add,
  cast,
  customGrad,
  div,
  exp,
  type GradSaveFunc,
  log,
  max,
  maximum,
  mean,
  mul,
  neg,
  notEqual,
  pad,
  reshape,
  type Scalar,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tidy,
} from '@tensorflow/tfjs-core';
import { options as checkOptions, integer, number } from '../models/checks.js';
import { oneHotRows } from '../one_hot.js';

export interface CrossEntropyOptions {
  /** Probability, from 0 to 1, that is spread uniformly over all classes; default 0. */
  readonly labelSmoothing?: number;
  /** Label that is ignored and excluded from the mean; default none. */
  readonly ignoreIndex?: number;
}

/**
 * Computes the mean cross-entropy of logits over the batch, like torch.nn.functional.cross_entropy. For the pixels of a
 * segmenter, the logits are its node `resized_logits`, and `ignoreIndex` is IGNORED_PIXEL.
 * @param logits [..., C] float32
 * @param targets classes [...] int32, or probabilities [..., C] float32
 * @returns 0 if all targets are ignored
 * @throws {Error} if the shapes do not match, or `ignoreIndex` is given with probabilities.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Scalar {
  checkOptions(options, 'crossEntropy', {
    labelSmoothing: number(0, 1),
    ignoreIndex: integer(Number.MIN_SAFE_INTEGER),
  });
  const { labelSmoothing = 0, ignoreIndex } = options;
  const classes = logits.shape[logits.rank - 1];
  const isLabels = targets.dtype === 'int32';
  const expected = isLabels ? logits.shape.slice(0, -1) : logits.shape;
  if (`${targets.shape}` !== `${expected}`) {
    throw new Error(
      `crossEntropy: targets are ${targets.dtype} [${targets.shape}], expected int32 [${logits.shape.slice(0, -1)}] or ` +
        `float32 [${logits.shape}] for logits [${logits.shape}]`,
    );
  }
  if (ignoreIndex !== undefined && !isLabels) {
    throw new Error(
      'crossEntropy: ignoreIndex is for targets that are classes, int32; these are probabilities',
    );
  }
  return tidy(() => {
    const probabilities = isLabels ? oneHotRows(targets, classes) : targets;
    const smooth =
      labelSmoothing === 0
        ? probabilities
        : add(mul(probabilities, 1 - labelSmoothing), labelSmoothing / classes);
    const losses = neg(sum(mul(smooth, logProbabilities(logits)), -1));
    if (ignoreIndex === undefined) return mean(losses) as Scalar;
    const counts = cast(notEqual(targets, ignoreIndex), 'float32');
    return div(sum(mul(losses, counts)), maximum(sum(counts), 1)) as Scalar;
  });
}

/** Number of values summed sequentially: backends may sum in float32, which loses precision over a vocabulary. */
const ADDED = 64;

/** Like tfjs's logSoftmax, except for the sum. */
const logProbabilities = customGrad((...inputs) => {
  const [logits, save] = inputs as [Tensor, GradSaveFunc];
  const shifted = sub(logits, max(logits, -1, true));
  const value = sub(shifted, log(sumOfMany(exp(shifted))));
  save([value]);
  return {
    value,
    gradFunc: (dy: Tensor, saved: Tensor[]) => sub(dy, mul(sum(dy, -1, true), exp(saved[0]))),
  };
}) as (logits: Tensor) => Tensor;

/** Sums [..., C] to [..., 1] in two steps. */
function sumOfMany(values: Tensor): Tensor {
  const leading = values.shape.slice(0, -1);
  const count = values.shape[values.rank - 1];
  if (count <= ADDED) return sum(values, -1, true);
  const rows = reshape(values, [-1, count]) as Tensor2D;
  const parts = Math.ceil(count / ADDED);
  const padded = pad(rows, [
    [0, 0],
    [0, parts * ADDED - count],
  ]);
  return reshape(sum(sum(reshape(padded, [-1, parts, ADDED]), -1), -1), [...leading, 1]);
}
