/**
 * Tree Energy Loss: Z. Liang et al., "Tree Energy Loss: Towards Sparsely Annotated Semantic Segmentation", CVPR 2022.
 */
import {
  add,
  cast,
  div,
  maximum,
  mul,
  neg,
  relu,
  reshape,
  type Scalar,
  softmax,
  sub,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { defineOp, float32, int32 } from '../ops/declare.js';
import { runOp } from '../ops/kernels.js';
import { interpolateBilinear, interpolateNearest } from '../ops/resize.js';
import { stopGradient } from '../ops/stop_gradient.js';
import { treeFilter } from './tree_filter.js';

const map = (height: string, width: string, channels: string, doc: string) =>
  float32(['B', height, width, channels], doc);

/** All steps are outputs, so that each can be compared with the authors' code. */
export const TreeEnergyLoss = defineOp({
  name: 'treeEnergyLoss',
  doc: 'Distance between predictions and their copies filtered along the trees of the image and the features.',
  inputs: {
    logits: map('H', 'W', 'K', 'logits of the predictions'),
    image: map('I', 'J', 'C', 'image: low-level features, resized to the logits'),
    unlabeled: int32(['B', 'M', 'N'], '1 where a pixel has no label, else 0'),
    features: {
      ...map('H', 'W', 'F', 'high-level features; if omitted, only the image is used'),
      optional: true,
    },
  },
  attributes: {
    sigma: {
      type: 'number',
      default: 0.02,
      least: 2 ** -126,
      doc: 'divisor of the distances in the affinities of the image',
    },
    weight: { type: 'number', default: 0.4, doc: 'factor on the loss' },
  },
  least: { H: 1, W: 1, I: 1, J: 1, M: 1, N: 1, K: 1 },
  outputs: {
    loss: float32(
      [],
      'mean absolute difference over the unlabelled pixels, summed over classes, times the weight',
    ),
    probabilities: map('H', 'W', 'K', 'softmax of the logits'),
    resizedImage: map('H', 'W', 'C', 'image, resized to the predictions'),
    resizedMask: map('H', 'W', '1', 'mask of unlabelled pixels, resized to the predictions'),
    filteredLow: map('H', 'W', 'K', 'probabilities filtered along the tree of the image'),
    filtered: map(
      'H',
      'W',
      'K',
      'probabilities filtered along the trees of the image and then of the features',
    ),
  },
  compose: ({ logits, image, unlabeled, features }, { sigma, weight }) => {
    const [batch, height, width] = unlabeled.shape as [number, number, number];
    const mask = reshape(cast(unlabeled, 'float32'), [batch, height, width, 1]);
    const resizedMask = interpolateNearest(mask, logits);
    // As in the authors' code, which resizes the image without recording gradients.
    const resizedImage = interpolateBilinear(stopGradient(image), logits);
    const probabilities = softmax(logits);
    const filteredLow = treeFilter(probabilities, { embed: resizedImage, sigma });
    const filtered = features ? treeFilter(filteredLow, { embed: features }) : filteredLow;
    const distance = sum(mul(resizedMask, absolute(sub(probabilities, filtered))));
    // If every pixel is labelled, the distance is 0.
    const loss = mul(div(distance, maximum(sum(resizedMask), 1)), weight);
    return [loss, probabilities, resizedImage, resizedMask, filteredLow, filtered];
  },
});

/** |x| with gradient 0 at 0; tfjs's own has gradient -1 there. */
function absolute(x: Tensor): Tensor {
  return add(relu(x), relu(neg(x)));
}

export interface TreeEnergyLossOptions {
  /** [B, H, W, F] float32, high-level features of the size of the logits; without them only the image is used. */
  readonly features?: Tensor;
  /** Affinities of the image are exp(-distance / sigma); above 0, 0.02 by default. */
  readonly sigma?: number;
  /** Weight of the loss, 0.4 by default. */
  readonly weight?: number;
}

/**
 * Computes the tree energy loss of segmenters that learn from few labelled pixels (CVPR 2022: Tree Affinity Generation,
 * equations 3 to 5, and Cascaded Filtering, 6 and 7). The softmax of the predictions, filtered along the minimum spanning
 * tree of the image and then along that of the features, is the target for unlabelled pixels. The loss is the weighted mean
 * of the absolute differences over those pixels, summed over classes. Differentiable in the logits and in the features, not
 * in the image.
 *
 * @param logits [B, H, W, K] float32, of K classes.
 * @param image [B, I, J, C] float32, resized to H x W bilinearly.
 * @param unlabeled [B, M, N] int32 or bool, 1 where a pixel has no label; resized by nearest neighbour.
 * @returns a scalar float32; 0 if every pixel has a label.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function treeEnergyLoss(
  logits: Tensor,
  image: Tensor,
  unlabeled: Tensor,
  options: TreeEnergyLossOptions = {},
): Scalar {
  return tidy(() => treeEnergyLossSteps(logits, image, unlabeled, options)[0] as Scalar);
}

/** Returns all outputs of {@link TreeEnergyLoss}. */
export function treeEnergyLossSteps(
  logits: Tensor,
  image: Tensor,
  unlabeled: Tensor,
  { features, ...attributes }: TreeEnergyLossOptions = {},
): Tensor[] {
  const mask = unlabeled?.dtype === 'bool' ? cast(unlabeled, 'int32') : unlabeled;
  return runOp(TreeEnergyLoss, { logits, image, unlabeled: mask, features }, attributes);
}
