/** The losses of a Mask R-CNN on a picture, as mmdetection's configuration of it has them. */
import {
  addN,
  div,
  keep,
  type NamedTensorMap,
  type Scalar,
  scalar,
  type Tensor,
  type Tensor4D,
  tensor,
  tensor1d,
  tensor2d,
  tidy,
  variableGrads,
} from '@tensorflow/tfjs-core';
import { encodeBoxes } from '../../ops/boxes.js';
import { selectChannels } from '../../ops/detections.js';
import { roiAlign } from '../../ops/roi_align.js';
import type { RandomNumbers } from '../../random.js';
import { crossEntropy } from '../losses.js';
import type { Gradients, Trainable } from '../trainable.js';
import {
  type AssignmentRule,
  assignBoxes,
  type SampledBoxes,
  type SamplingRule,
  sampleBoxes,
} from './assignment.js';
import { DETECTOR_NODES, type DetectorNodes, nodesOfDetector } from './detector_nodes.js';
import { absoluteErrorSum, binaryCrossEntropySum } from './element_losses.js';
import { boxesOf, checkObjects, type TrueObject } from './true_objects.js';

/** Which boxes are learnt from. */
export interface DetectionRecipe {
  /** Anchors, for the proposals. */
  readonly anchors: AssignmentRule & SamplingRule;
  /** Proposals, and the boxes of the objects themselves, for the heads. */
  readonly regions: AssignmentRule & SamplingRule;
}

/** mmdetection's for Mask R-CNN. */
export const MASK_RCNN_RECIPE: DetectionRecipe = {
  anchors: { positive: 0.7, negative: 0.3, best: 0.3, count: 256, positives: 0.5 },
  regions: { positive: 0.5, negative: 0.5, count: 512, positives: 0.25 },
};

export interface DetectionLossOptions {
  /** Of the choice of boxes. */
  readonly random: RandomNumbers;
  /** By default `MASK_RCNN_RECIPE`. */
  readonly recipe?: DetectionRecipe;
}

/** The parts of the loss, each as it is summed. */
export interface DetectionLosses<Value = Scalar> {
  readonly total: Value;
  /** Whether an anchor is an object: mean over the sampled anchors. */
  readonly proposalScore: Value;
  /** How anchors of objects are moved: sum of absolute errors over the number of sampled anchors. */
  readonly proposalBox: Value;
  /** Classes of regions: mean over the sampled regions. */
  readonly class: Value;
  /** How regions of objects are moved: sum of absolute errors over the number of sampled regions. */
  readonly box: Value;
  /** Masks of the regions of objects: mean over their pixels. */
  readonly mask: Value;
}

/** Boxes [K, 4] of which some were sampled to learn from objects [G, 4]. */
export interface LearntBoxes {
  readonly boxes: Float32Array;
  readonly objects: Float32Array;
  /** [K], as {@link assignBoxes} gives it. */
  readonly assigned: Int32Array;
  readonly sampled: SampledBoxes;
  /** Standard deviations that deltas are in units of: of x, y, width and height. */
  readonly deviations: readonly number[];
}

/**
 * The losses of a detector on one picture: those of its proposals, and those of its heads on a sample of proposals and
 * the boxes of the objects. To be called inside tf.variableGrads or `minimize` where gradients are needed; none flows
 * through the choice of proposals. The tensors read on the host are read synchronously.
 * @param inputs image [1, H, W, 3] as the model's graph takes it, or tensors by the names of nodes, `image` or
 *   `normalized` among them
 * @param objects what there is in the picture, at most 100,000; boxes and masks in pixels of the input
 * @throws {Error} one line, when the model is no detector or an object is not as described
 */
export function detectionLosses(
  trained: Trainable,
  inputs: NamedTensorMap | Tensor4D,
  objects: readonly TrueObject[],
  { random, recipe = MASK_RCNN_RECIPE }: DetectionLossOptions,
): DetectionLosses {
  const nodes = nodesOfDetector(trained);
  const [height, width] = checkObjects(inputs, objects, nodes.classes);
  return tidy(() => {
    const { anchors, scores, deltas, proposals } = DETECTOR_NODES;
    const [anchorBoxes, objectness, moves, found, ...features] = trained.forward(inputs, [
      anchors,
      scores,
      deltas,
      proposals,
      ...nodes.features,
    ]);
    const objectBoxes = boxesOf(objects);
    const ofAnchors = learntBoxes(
      anchorBoxes.dataSync() as Float32Array,
      objectBoxes,
      recipe.anchors,
      nodes.proposalDeviations,
      random,
    );
    const { score, box } = proposalLosses(objectness, moves, ofAnchors);
    const candidates = withObjects(found, objectBoxes);
    const regions = learntBoxes(candidates, objectBoxes, recipe.regions, nodes.boxDeviations, random);
    const heads = headLosses(trained, nodes, features, regions, objects, [height, width]);
    const losses = { proposalScore: score, proposalBox: box, ...heads };
    return { total: addN(Object.values(losses)) as Scalar, ...losses };
  });
}

/**
 * Losses and gradients of a picture, for an optimiser or a `GradientAccumulator`. The caller disposes the gradients. A
 * picture without objects has none for the parameters of masks.
 */
export function detectionGradients(
  trained: Trainable,
  inputs: NamedTensorMap | Tensor4D,
  objects: readonly TrueObject[],
  options: DetectionLossOptions,
): { losses: DetectionLosses<number>; gradients: Gradients } {
  const kept: [string, Scalar][] = [];
  try {
    const { value, grads } = variableGrads(() => {
      const losses = detectionLosses(trained, inputs, objects, options);
      for (const [name, loss] of Object.entries(losses)) kept.push([name, keep(loss.clone())]);
      return losses.total;
    }, [...trained.variables]);
    value.dispose();
    const losses = Object.fromEntries(kept.map(([name, loss]) => [name, loss.dataSync()[0]]));
    return { losses: losses as unknown as DetectionLosses<number>, gradients: grads };
  } finally {
    for (const [, loss] of kept) loss.dispose();
  }
}

function learntBoxes(
  boxes: Float32Array,
  objects: Float32Array,
  rule: AssignmentRule & SamplingRule,
  deviations: readonly number[],
  random: RandomNumbers,
): LearntBoxes {
  const assigned = assignBoxes(boxes, objects, rule);
  return { boxes, objects, assigned, sampled: sampleBoxes(assigned, rule, random), deviations };
}

/** The boxes of the objects before those of the proposals [K, 5]. */
function withObjects(proposals: Tensor, objects: Float32Array): Float32Array {
  const rows = proposals.dataSync();
  const boxes = new Float32Array(objects.length + (rows.length / 5) * 4);
  boxes.set(objects);
  for (let k = 0; k < rows.length / 5; k++)
    boxes.set(rows.subarray(5 * k, 5 * k + 4), objects.length + 4 * k);
  return boxes;
}

/** @param scores [A] logits. @param deltas [A, 4] */
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
 * Targets [rows, 4 * columns] of deltas, zeros but where boxes of objects are learnt, and weights that are 1 there.
 * @param positives boxes, the first rows
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
    const wanted = rowsOf(objects, (k) => assigned[k]);
    const deltas = encodeBoxes(own, wanted, { stds: deviations }).dataSync();
    for (let i = 0; i < positives.length; i++) {
      const at = 4 * (row(i) * columns + column(i));
      targets.set(deltas.subarray(4 * i, 4 * i + 4), at);
      weights.fill(1, at, at + 4);
    }
  }
  const shape = [rows, 4 * columns];
  return { targets: tensor(targets, shape), weights: tensor(weights, shape) };
}

/** What the heads make of sampled regions, and how wrong it is. */
function headLosses(
  trained: Trainable,
  nodes: DetectorNodes,
  features: readonly Tensor[],
  regions: LearntBoxes,
  objects: readonly TrueObject[],
  size: readonly [height: number, width: number],
): { class: Scalar; box: Scalar; mask: Scalar } {
  const { boxRois, classScores, boxDeltas, maskRois, maskLogits } = DETECTOR_NODES;
  const { positives, negatives } = regions.sampled;
  const none = () => scalar(0);
  if (positives.length + negatives.length === 0) return { class: none(), box: none(), mask: none() };
  const fed = Object.fromEntries(nodes.features.map((name, level) => [name, features[level]]));
  const rois = (indices: Int32Array, image: (k: number) => number) =>
    tensor2d(
      Float32Array.from({ length: 5 * indices.length }, (_, i) => {
        const k = indices[Math.floor(i / 5)];
        return i % 5 === 0 ? image(k) : regions.boxes[4 * k + (i % 5) - 1];
      }),
      [indices.length, 5],
    );
  const all = Int32Array.of(...positives, ...negatives);
  const outputs = trained.forward({ ...fed, [boxRois]: rois(all, () => 0) }, [classScores, boxDeltas]);
  const labels = positives.map((k) => objects[regions.assigned[k]].label);
  const { class: classLoss, box } = regionLosses(outputs[0], outputs[1], regions, labels);
  if (positives.length === 0) return { class: classLoss, box, mask: none() };

  const logits = trained.forward({ ...fed, [maskRois]: rois(positives, () => 0) }, maskLogits);
  const [, maskHeight, maskWidth] = logits.shape;
  const masks = new Float32Array(objects.length * size[0] * size[1]);
  for (const [g, { mask }] of objects.entries()) masks.set(mask, g * size[0] * size[1]);
  const shares = roiAlign(
    tensor(masks, [objects.length, ...size, 1]),
    rois(positives, (k) => regions.assigned[k]),
    { outHeight: maskHeight, outWidth: maskWidth },
  );
  return { class: classLoss, box, mask: maskLoss(logits, shares, labels) };
}

/**
 * @param scores [R, C + 1] logits of regions, those of objects first, background is the last class
 * @param deltas [R, 4C], or [R, 4] for all classes
 * @param labels of the objects' regions
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
 * Mean cross-entropy of the masks of the true classes.
 * @param logits [P, h, w, C], or [P, h, w, 1] for all classes
 * @param shares [P, h, w, 1] of the object in each pixel; half of it makes a pixel the object's
 * @param labels [P]
 */
export function maskLoss(logits: Tensor, shares: Tensor, labels: Int32Array): Scalar {
  const isObject = Float32Array.from(shares.dataSync(), (share) => (share >= 0.5 ? 1 : 0));
  const chosen = selectChannels(logits, tensor1d(labels, 'int32'));
  return div(binaryCrossEntropySum(chosen, tensor(isObject, chosen.shape), 1), isObject.length);
}
