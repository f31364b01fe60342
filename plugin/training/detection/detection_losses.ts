/** The losses of Mask R-CNN on an image, as in mmdetection's configuration. */
import {
  addN,
  getBackend,
  keep,
  type NamedTensorMap,
  type Scalar,
  scalar,
  type Tensor,
  type Tensor4D,
  tensor,
  tensor2d,
  tidy,
  variableGrads,
} from '@tensorflow/tfjs-core';
import { mustWaitForValues } from '../../kernels/values.js';
import { roiAlign } from '../../ops/roi_align.js';
import type { RandomNumbers } from '../../random.js';
import type { Gradients, Trainable } from '../trainable.js';
import { type AssignmentRule, assignBoxes, type SamplingRule, sampleBoxes } from './assignment.js';
import { DETECTOR_NODES, type DetectorNodes, nodesOfDetector } from './detector_nodes.js';
import { type LearntBoxes, maskLoss, proposalLosses, regionLosses } from './part_losses.js';
import { boxesOf, checkObjects, type TrueObject } from './true_objects.js';

/** Which boxes are trained on. */
export interface DetectionRecipe {
  /** Anchors, for the region proposal network. */
  readonly anchors: AssignmentRule & SamplingRule;
  /** Proposals and the ground-truth boxes, for the heads. */
  readonly regions: AssignmentRule & SamplingRule;
}

/** mmdetection's settings for Mask R-CNN. */
export const MASK_RCNN_RECIPE: DetectionRecipe = {
  anchors: { positive: 0.7, negative: 0.3, best: 0.3, count: 256, positives: 0.5 },
  regions: { positive: 0.5, negative: 0.5, count: 512, positives: 0.25 },
};

export interface DetectionLossOptions {
  /** Used to sample boxes. */
  readonly random: RandomNumbers;
  /** By default `MASK_RCNN_RECIPE`. */
  readonly recipe?: DetectionRecipe;
}

/** The terms of the loss, as they enter the sum. */
export interface DetectionLosses<Value = Scalar> {
  readonly total: Value;
  /** Objectness of anchors: mean over the sampled anchors. */
  readonly proposalScore: Value;
  /** Box deltas of anchors assigned to objects: sum of absolute errors divided by the number of sampled anchors. */
  readonly proposalBox: Value;
  /** Classification of regions: mean over the sampled regions. */
  readonly class: Value;
  /** Box deltas of regions assigned to objects: sum of absolute errors divided by the number of sampled regions. */
  readonly box: Value;
  /** Masks of regions assigned to objects: mean over their pixels. */
  readonly mask: Value;
}

/**
 * Computes the losses of a detector on one image: those of its proposals, and those of its heads on a sample of proposals
 * and ground-truth boxes. Call it inside tf.variableGrads or `minimize` if gradients are needed; no gradient flows through
 * the choice of proposals. Some tensors are read synchronously on the host.
 * @param inputs image [1, H, W, 3] as the model's graph takes it, or tensors by node name, including `image` or `normalized`
 * @param objects the objects in the image, at most 100,000; boxes and masks in pixels of the input
 * @throws {Error} one line, if the model is not a detector, an object is invalid, or the backend can only be read
 *   asynchronously, such as webgpu.
 */
export function detectionLosses(
  trained: Trainable,
  inputs: NamedTensorMap | Tensor4D,
  objects: readonly TrueObject[],
  { random, recipe = MASK_RCNN_RECIPE }: DetectionLossOptions,
): DetectionLosses {
  if (mustWaitForValues()) {
    throw new Error(
      `detectionLosses: boxes are chosen by their values, which the backend '${getBackend()}' gives asynchronously only; ` +
        "expected one that is read at once, such as 'wasm'",
    );
  }
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
 * Computes losses and gradients for an image, for an optimiser or a `GradientAccumulator`. The caller disposes the
 * gradients. If the image has no objects, there are no gradients for the parameters of masks.
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

/** Concatenates the ground-truth boxes and the boxes of the proposals [K, 5]. */
function withObjects(proposals: Tensor, objects: Float32Array): Float32Array {
  const rows = proposals.dataSync();
  const boxes = new Float32Array(objects.length + (rows.length / 5) * 4);
  boxes.set(objects);
  for (let k = 0; k < rows.length / 5; k++)
    boxes.set(rows.subarray(5 * k, 5 * k + 4), objects.length + 4 * k);
  return boxes;
}

/** Runs the heads on sampled regions and computes their losses. */
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
