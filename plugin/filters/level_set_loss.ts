/**
 * The level-set loss of box supervision, as in BoxInstSeg: W. Li et al., "Box-supervised Instance Segmentation with Level
 * Set Evolution", ECCV 2022, and Box2Mask.
 */
import {
  add,
  concat,
  div,
  maximum,
  mul,
  reshape,
  sigmoid,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  tidy,
  tile,
} from '@tensorflow/tfjs-core';
import { defineOp, float32 } from '../ops/declare.js';
import { OpError } from '../ops/input_checks.js';
import { runOp } from '../ops/kernels.js';
import { treeFilter } from './tree_filter.js';

const mask = (doc: string) => float32(['I', 'H', 'W'], doc);
const map = (batch: string, channels: string, doc: string) => float32([batch, 'H', 'W', channels], doc);

/** Lower bounds of the sum of phi over a region, and of the area of a box. */
const LEAST_SUM = 1e-5;
const LEAST_AREA = 1;

const IMAGE_WEIGHT = 0.05;
const FEATURES_WEIGHT = 5;

/** All steps are outputs, so that each can be compared with the authors' code. */
export const LevelSetLoss = defineOp({
  name: 'levelSetLoss',
  doc: 'Variation of an image, and of the tree-filtered masks, inside and outside the masks of instances.',
  inputs: {
    maskLogits: mask('mask logits of each instance'),
    box: mask('1 inside the box of each instance, else 0'),
    image: map('B', 'C', 'image: one for all instances or one each'),
    features: map('P', 'F', 'deep features: one map for all instances or one each'),
  },
  attributes: {
    sigma: {
      type: 'number',
      default: 0.02,
      least: 2 ** -126,
      doc: 'divisor of the distances in the affinities of the image',
    },
  },
  least: { H: 1, W: 1, C: 1 },
  outputs: {
    ofImage: float32(['I'], 'image loss of each instance'),
    ofFeatures: float32(['I'], 'loss of the filtered masks of each instance'),
    filteredImage: map('I', '1', 'masks filtered along the tree of the image'),
    filteredFeatures: map('I', '1', 'masks filtered along the trees of the image and then of the features'),
  },
  compose: ({ maskLogits, box, image, features }, { sigma }) => {
    const [instances, height, width] = maskLogits.shape as [number, number, number];
    const asMap = (values: Tensor) => reshape(values, [instances, height, width, 1]);
    const [mask, inside] = [asMap(sigmoid(maskLogits)), asMap(box)];
    const images = forEach(image, instances, 'image');
    const filteredImage = treeFilter(mask, { embed: images, sigma });
    const filteredFeatures = treeFilter(filteredImage, { embed: forEach(features, instances, 'features') });
    const area = maximum(sum(box, [1, 2]), LEAST_AREA);
    const loss = (target: Tensor, weight: number) =>
      mul(div(variation(mul(target, inside), mul(mask, inside), mul(sub(1, mask), inside)), area), weight);
    return [
      loss(images, IMAGE_WEIGHT),
      loss(concat([filteredImage, filteredFeatures], -1), FEATURES_WEIGHT),
      filteredImage,
      filteredFeatures,
    ];
  },
});

/** Repeats a map for each instance, unless each has its own. */
function forEach(map: Tensor, instances: number, name: string): Tensor {
  const [batch] = map.shape;
  if (batch === instances) return map;
  if (batch === 1) return tile(map, [instances, 1, 1, 1]);
  throw new OpError(
    'levelSetLoss',
    `${name} has ${batch} maps, expected 1 or one for each of ${instances} instances`,
  );
}

/**
 * Sums the phi-weighted squared differences between a map [I, H, W, C] and its means in the regions, averaged over channels.
 */
function variation(map: Tensor, ...regions: readonly Tensor[]): Tensor {
  const parts = regions.map((phi) => {
    const mean = div(sum(mul(phi, map), [1, 2], true), maximum(sum(phi, [1, 2], true), LEAST_SUM));
    return sum(mul(square(sub(map, mean)), phi), [1, 2, 3]);
  });
  return div(
    parts.reduce((a, b) => add(a, b)),
    map.shape[3] as number,
  );
}

/** Losses of each instance, [I] float32. */
export interface LevelSetLosses {
  /** Variation of the image inside and outside of the mask, within the box; weighted by 0.05. */
  readonly ofImage: Tensor1D;
  /** Variation of the mask, filtered along both trees; weighted by 5. */
  readonly ofFeatures: Tensor1D;
}

/**
 * Computes the level-set loss of instances with box labels only (ECCV 2022, BoxInstSeg): with `m` the sigmoid of the logits
 * and `phi = [m, 1 - m] * box`, the loss of a map t is the mean over channels of `sum((t - c1)^2 phi0 + (t - c2)^2 phi1)`,
 * divided by the area of the box; c1 and c2 are the means of t weighted by phi. The maps are the image, and the mask
 * filtered along the tree of the image and then along that of the features. Differentiable in the logits, the image and the
 * features. Training minimises the mean of `ofImage + ofFeatures`.
 *
 * @param maskLogits [I, H, W] float32, of I instances.
 * @param box [I, H, W] float32: 1 inside the box of an instance, else 0.
 * @param image [1, H, W, C] or [I, H, W, C] float32.
 * @param features [1, H, W, F] or [I, H, W, F] float32.
 * @param options.sigma affinities of the image are exp(-distance / sigma); above 0, 0.02 by default.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function levelSetLoss(
  maskLogits: Tensor,
  box: Tensor,
  image: Tensor,
  features: Tensor,
  options: { sigma?: number } = {},
): LevelSetLosses {
  const [ofImage, ofFeatures] = tidy(() =>
    levelSetLossSteps(maskLogits, box, image, features, options).slice(0, 2),
  ) as Tensor1D[];
  return { ofImage, ofFeatures };
}

/** Returns all outputs of {@link LevelSetLoss}. */
export function levelSetLossSteps(
  maskLogits: Tensor,
  box: Tensor,
  image: Tensor,
  features: Tensor,
  options: { sigma?: number } = {},
): Tensor[] {
  return runOp(LevelSetLoss, { maskLogits, box, image, features }, { ...options });
}
