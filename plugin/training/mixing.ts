/** Mixes the images of a batch: mixup (H. Zhang et al., 2018) and CutMix (S. Yun et al., 2019). */
import {
  add,
  buffer,
  mul,
  reverse,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { number } from '../models/checks.js';
import { oneHotRows } from '../one_hot.js';
import type { RandomNumbers } from '../random.js';

export interface MixingOptions {
  /** The mixing ratio follows Beta(alpha, alpha). */
  readonly alpha: number;
  readonly classes: number;
  readonly random: RandomNumbers;
}

/** Images [N, H, W, C] and class probabilities [N, classes], float32. The caller disposes both. */
export interface MixedBatch {
  readonly images: Tensor4D;
  readonly targets: Tensor2D;
}

/**
 * Mixes each image with the one at the mirrored position of the batch, all with the same ratio.
 * @param labels classes [N] int32, or probabilities [N, classes]
 */
export function mixup(images: Tensor4D, labels: Tensor1D | Tensor2D, options: MixingOptions): MixedBatch {
  const share = sharesOf('mixup', options);
  return tidy(() => ({
    images: blend(images, share),
    targets: blend(targetsOf(labels, options.classes), share),
  }));
}

/**
 * Replaces a rectangle of each image by that of the image at the mirrored position; the mixing ratio is that of the pixels.
 */
export function cutmix(images: Tensor4D, labels: Tensor1D | Tensor2D, options: MixingOptions): MixedBatch {
  const { classes, random } = options;
  const [, height, width] = images.shape;
  const side = Math.sqrt(1 - sharesOf('cutmix', options));
  const span = (size: number): [number, number] => {
    const [centre, half] = [random.integer(0, size - 1), Math.floor((size * side) / 2)];
    return [Math.max(0, centre - half), Math.min(size, centre + half)];
  };
  const [[top, bottom], [left, right]] = [span(height), span(width)];
  const kept = buffer([1, height, width, 1], 'float32');
  kept.values.fill(1);
  for (let y = top; y < bottom; y++) {
    kept.values.fill(0, y * width + left, y * width + right);
  }
  const share = 1 - ((bottom - top) * (right - left)) / (height * width);
  return tidy(() => ({
    images: blend(images, kept.toTensor()),
    targets: blend(targetsOf(labels, classes), share),
  }));
}

/** share * x + (1 - share) * x in the reversed order of the batch */
function blend<T extends Tensor>(x: T, share: number | Tensor): T {
  return add(mul(x, share), mul(reverse(x, 0), typeof share === 'number' ? 1 - share : sub(1, share)));
}

function targetsOf(labels: Tensor1D | Tensor2D, classes: number): Tensor2D {
  return labels.rank === 1 ? (oneHotRows(labels, classes) as Tensor2D) : (labels as Tensor2D);
}

function sharesOf(method: string, { alpha, random }: MixingOptions): number {
  number(Number.MIN_VALUE, Number.MAX_VALUE)(alpha, `${method}: alpha`);
  const [a, b] = [gamma(alpha, random), gamma(alpha, random)];
  return a + b > 0 ? a / (a + b) : 0.5;
}

/** Draws from the Gamma distribution (G. Marsaglia and W. Tsang, 2000). */
function gamma(shape: number, random: RandomNumbers): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const normal = random.normal();
    const v = (1 + normal / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < 0.5 * normal ** 2 + d * (1 - v + Math.log(v))) return d * v;
  }
}
