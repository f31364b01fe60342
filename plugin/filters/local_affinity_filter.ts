/** The local filter of APro: W. Li et al., "Label-efficient Segmentation via Affinity Propagation", NeurIPS 2023. */
import {
  div,
  exp,
  gather,
  mul,
  reshape,
  squaredDifference,
  sum,
  type Tensor,
  type Tensor4D,
  tensor,
} from '@tensorflow/tfjs-core';
import { defineOp, float32, optional } from '../ops/declare.js';
import { runOp } from '../ops/kernels.js';
import { byPixel } from './tree_filter.js';

const map = (channels: string, doc: string) => float32(['B', 'H', 'W', channels], doc);

export const LocalAffinityFilter = defineOp({
  name: 'localAffinityFilter',
  doc: 'Repeated mean over a window around each pixel, weighted by exp(-|difference of the guide|^2 / zeta^2).',
  inputs: {
    x: map('D', 'map to filter'),
    guide: map('C', 'guide from which the affinities are computed'),
    box: optional(
      float32(['B', 'H', 'W'], '1 where x is kept, 0 elsewhere; if omitted, x is kept everywhere'),
    ),
  },
  attributes: {
    zeta: { type: 'number', default: 0.15, least: 1e-15, doc: 'scale of the guide differences' },
    reach: { type: 'integer', default: 2, least: 0, doc: 'window radius in pixels' },
    rounds: { type: 'integer', default: 20, least: 0, doc: 'number of rounds' },
  },
  least: { H: 1, W: 1 },
  outputs: { y: map('D', 'filtered map') },
  compose: ({ x, guide, box }, { zeta, reach, rounds }) => {
    const [batch, height, width] = x.shape as [number, number, number, number];
    const size = height * width;
    const { ids, isInside } = neighbourhoods(height, width, reach);
    const around = isInside.length / size;
    // [B, V, C] to [B, V, K, C]: values at the K pixels around each pixel.
    const values = (of: Tensor) => reshape(gather(of, ids, 1), [batch, size, around, of.shape[2] as number]);
    const colours = byPixel(guide);
    const centres = reshape(colours, [batch, size, 1, colours.shape[2] as number]);
    const distance = sum(squaredDifference(values(colours), centres), 3, true);
    const affinity = mul(exp(mul(distance, -1 / zeta ** 2)), tensor(isInside, [1, size, around, 1]));
    const weights = div(affinity, sum(affinity, 2, true));
    const kept = (of: Tensor) => (box ? mul(of, reshape(box, [batch, size, 1])) : of);
    let y = kept(byPixel(x));
    for (let round = 0; round < rounds; round++) y = kept(sum(mul(values(y), weights), 2));
    return reshape(y, x.shape as number[]);
  },
});

/**
 * Returns the ids of the pixels around each pixel, and 1 for those inside the map. The others are replaced by the pixel
 * itself.
 */
function neighbourhoods(height: number, width: number, reach: number) {
  const side = 2 * reach + 1;
  const ids = new Int32Array(height * width * side * side);
  const isInside = new Float32Array(ids.length);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < side * side; k++, at++) {
        const [row, column] = [y + Math.floor(k / side) - reach, x + (k % side) - reach];
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        ids[at] = inside ? row * width + column : y * width + x;
        isInside[at] = Number(inside);
      }
    }
  }
  return { ids: tensor(ids, [ids.length], 'int32'), isInside };
}

/**
 * Applies the local filter of affinity propagation (APro, NeurIPS 2023): in each round every pixel becomes the mean of the
 * pixels around it, weighted by exp(-|difference of the guide|^2 / zeta^2). It is meant for making labels; gradients are
 * those of the tfjs ops that it is composed of.
 *
 * @param x [B, H, W, D] float32.
 * @param guide [B, H, W, C] float32, for example the image.
 * @param options.box [B, H, W] float32, 1 where values are kept; elsewhere they are 0 before and after every round.
 * @param options.zeta at least 1e-15, 0.15 by default.
 * @param options.reach pixels to each side, 2 by default: a 5 x 5 window.
 * @param options.rounds 20 by default.
 * @returns [B, H, W, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function localAffinityFilter(
  x: Tensor,
  guide: Tensor,
  options: { box?: Tensor; zeta?: number; reach?: number; rounds?: number } = {},
): Tensor4D {
  const { box, ...attributes } = options;
  return runOp(LocalAffinityFilter, { x, guide, box }, attributes)[0] as Tensor4D;
}
