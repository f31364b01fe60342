/** The losses of a Mask R-CNN on a picture, as mmdetection's configuration of it has them. */
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

/**
 * The losses of a detector on one picture: those of its proposals, and those of its heads on a sample of proposals and
 * the boxes of the objects. To be called inside tf.variableGrads or `minimize` where gradients are needed; none flows
 * through the choice of proposals. The tensors read on the host are read synchronously.
 * @param inputs image [1, H, W, 3] as the model's graph takes it, or tensors by the names of nodes, `image` or
 *   `normalized` among them
 * @param objects what there is in the picture, at most 100,000; boxes and masks in pixels of the input
 * @throws {Error} one line, when the model is no detector, an object is not as described, or the backend reads
 *   asynchronously only, as webgpu does
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
