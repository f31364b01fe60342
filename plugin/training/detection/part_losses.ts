/** The losses of the parts of a Mask R-CNN, from their outputs and targets. */
import { div, type Scalar, scalar, type Tensor, tensor, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { encodeBoxes } from '../../ops/boxes.js';
import { selectChannels } from '../../ops/detections.js';
import { crossEntropy } from '../losses.js';
import type { SampledBoxes } from './assignment.js';
import { absoluteErrorSum, binaryCrossEntropySum } from './element_losses.js';

/** Boxes [K, 4], some of which were sampled for training, and objects [G, 4]. */
export interface LearntBoxes {
  readonly boxes: Float32Array;
  readonly objects: Float32Array;
  /** [K], as returned by {@link assignBoxes}. */
  readonly assigned: Int32Array;
  readonly sampled: SampledBoxes;
  /** Standard deviations by which deltas of x, y, width and height are scaled. */
  readonly deviations: readonly number[];
}

/**
 * @param scores [A] logits.
 * @param deltas [A, 4]
 */
export function proposalLosses(
  scores: Tensor,
  deltas: Tensor,
  anchors: LearntBoxes,
): { score: Scalar; box: Scalar } {
  const { positives, negatives } = anchors.sampled;
  const count = positives.length + negatives.length;
  if (count === 0) return { score: scalar(0), box: scalar(0) };
  const size = anchors.boxes.length / 4;
  const [isObject, isSampled] = [new Float32Array(size), new Float32Array(size)];
  for (const k of positives) isObject[k] = isSampled[k] = 1;
  for (const k of negatives) isSampled[k] = 1;
  const { targets, weights } = sparseTargets(anchors, positives, size, 1, () => 0);
  return {
    score: div(binaryCrossEntropySum(scores, tensor1d(isObject), tensor1d(isSampled)), count),
    box: div(absoluteErrorSum(deltas, targets, weights), count),
  };
}

/**
 * Returns targets [rows, 4 * columns] of deltas, zero except for boxes assigned to objects, and weights that are 1 there.
 * @param positives boxes assigned to objects, which are the first rows
 * @param column of a box
 * @param row of a box; by default the box itself
 */
function sparseTargets(
  { boxes, objects, assigned, deviations }: LearntBoxes,
  positives: Int32Array,
  rows: number,
  columns: number,
  column: (positive: number) => number,
  row = (positive: number) => positives[positive],
): { targets: Tensor; weights: Tensor } {
  const [targets, weights] = [new Float32Array(rows * columns * 4), new Float32Array(rows * columns * 4)];
  if (positives.length > 0) {
    const rowsOf = (all: Float32Array, index: (k: number) => number) =>
      tensor2d(
        Float32Array.from(
          { length: 4 * positives.length },
          (_, i) => all[4 * index(positives[i >> 2]) + (i & 3)],
        ),
        [positives.length, 4],
      );
    const own = rowsOf(boxes, (k) => k);
    const expected = rowsOf(objects, (k) => assigned[k]);
    const deltas = encodeBoxes(own, expected, { stds: deviations }).dataSync();
    for (let i = 0; i < positives.length; i++) {
      const at = 4 * (row(i) * columns + column(i));
      targets.set(deltas.subarray(4 * i, 4 * i + 4), at);
      weights.fill(1, at, at + 4);
    }
  }
  const shape = [rows, 4 * columns];
  return { targets: tensor(targets, shape), weights: tensor(weights, shape) };
}

/**
 * @param scores [R, C + 1] logits of regions, those assigned to objects first; background is the last class
 * @param deltas [R, 4C], or [R, 4] for all classes
 * @param labels of the regions assigned to objects
 */
export function regionLosses(
  scores: Tensor,
  deltas: Tensor,
  regions: LearntBoxes,
  labels: Int32Array,
): { class: Scalar; box: Scalar } {
  const { positives, negatives } = regions.sampled;
  const count = positives.length + negatives.length;
  const columns = (deltas.shape[1] as number) / 4;
  const classes = new Int32Array(count).fill((scores.shape[1] as number) - 1);
  classes.set(labels);
  const column = (i: number) => (columns === 1 ? 0 : labels[i]);
  const { targets, weights } = sparseTargets(regions, positives, count, columns, column, (i) => i);
  return {
    class: crossEntropy(scores, tensor1d(classes, 'int32')),
    box: div(absoluteErrorSum(deltas, targets, weights), count),
  };
}

/**
 * Computes the mean cross-entropy of the masks of the true classes.
 * @param logits [P, h, w, C], or [P, h, w, 1] for all classes
 * @param shares [P, h, w, 1] fraction of each pixel that is covered by the object; from 0.5 on the pixel counts as the
 *   object
 * @param labels [P]
 */
export function maskLoss(logits: Tensor, shares: Tensor, labels: Int32Array): Scalar {
  const isObject = Float32Array.from(shares.dataSync(), (share) => (share >= 0.5 ? 1 : 0));
  const chosen = selectChannels(logits, tensor1d(labels, 'int32'));
  return div(binaryCrossEntropySum(chosen, tensor(isObject, chosen.shape), 1), isObject.length);
}
