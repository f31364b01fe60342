/**
 * Boxes of a detector: AnchorGrid, DecodeBoxes and EncodeBoxes, BoxRois and RoiLevels. They are cheap and decide which boxes
 * are kept, so they run on the host in float32 and give the same results on every backend.
 */
import { type Tensor, type Tensor2D, type Tensor3D, tensor } from '@tensorflow/tfjs-core';
import { anchorsOf } from '../kernels/boxes.js';
import { defineOp, float32, int32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';

export const AnchorGrid = defineOp({
  name: 'AnchorGrid',
  doc:
    'Boxes of several aspect ratios around each position (x * stride, y * stride) of a map, by row, column and ratio: ' +
    'w = scale * stride / sqrt(ratio), h = scale * stride * sqrt(ratio), no shift, no rounding.',
  inputs: { features: float32(['N', 'H', 'W', 'C'], 'feature map; only its height and width are used') },
  attributes: {
    stride: { type: 'integer', least: 1, doc: 'distance between adjacent anchor positions, in input pixels' },
    scale: { type: 'number', default: 8, doc: 'size of an anchor, in strides' },
    ratios: { type: 'numbers', default: [0.5, 1, 2], doc: 'aspect ratios (height / width) of the anchors' },
  },
  derived: { A: ({ H, W }, { ratios }) => H * W * ratios.length },
  outputs: { anchors: float32(['A', '4'], 'anchors as x1, y1, x2, y2 in input pixels') },
  compose: ({ features }, attributes) => {
    const anchors = anchorsOf(features.shape[1] as number, features.shape[2] as number, attributes);
    return tensor(anchors, [anchors.length / 4, 4]);
  },
});

/** Standard deviations by which deltas are scaled. */
export const stds = {
  type: 'numbers',
  default: [1, 1, 1, 1],
  doc: 'scale factors of the x, y, width and height deltas',
} as const;

/** Limit on the change of a box's size. */
export const maxRatio = {
  type: 'number',
  default: 16 / 1000,
  least: 1e-30,
  most: 1,
  doc: 'smallest ratio of new to old size; the largest is its inverse',
} as const;

/** Size of a detector's input before padding. */
export const imageShape = int32(['2'], 'image height and width, to which boxes are clamped');

/** @throws {OpError} unless there are four. */
export function checkStds(op: string, { stds }: { readonly stds: readonly number[] }): void {
  if (stds.length === 4) return;
  throw new OpError(op, `stds has ${stds.length} numbers, expected 4: of x, y, width and height`);
}

export const DecodeBoxes = defineOp({
  name: 'DecodeBoxes',
  doc:
    'Boxes transformed by deltas, which are first multiplied by stds: centre + d * size, size * exp(d) with d between ' +
    '-m and m, m = |log(maxRatio)|; corners clamped to the image.',
  inputs: {
    boxes: float32(['K', '4'], 'boxes as x1, y1, x2, y2'),
    deltas: float32(['K', 'D'], 'x, y, width and height deltas for each of M = D/4 classes'),
    imageShape: optional(imageShape),
  },
  attributes: { stds, maxRatio },
  derived: {
    M: ({ D }) => {
      if (D % 4 === 0) return D / 4;
      throw new OpError('DecodeBoxes', `deltas has ${D} columns, expected a multiple of 4`);
    },
  },
  outputs: { decoded: float32(['K', '4M'], 'decoded boxes as x1, y1, x2, y2, for each class') },
  reads: ['boxes', 'deltas', 'imageShape'],
  validate: (_, attributes) => checkStds('DecodeBoxes', attributes),
});

export const EncodeBoxes = defineOp({
  name: 'EncodeBoxes',
  doc: 'The deltas with which DecodeBoxes turns boxes into targets, for training.',
  inputs: {
    boxes: float32(['K', '4'], 'boxes as x1, y1, x2, y2'),
    targets: float32(['K', '4'], 'target boxes as x1, y1, x2, y2'),
  },
  attributes: { stds },
  outputs: { deltas: float32(['K', '4'], 'x, y, width and height deltas') },
  reads: ['boxes', 'targets'],
  validate: (_, attributes) => checkStds('EncodeBoxes', attributes),
});

export const BoxRois = defineOp({
  name: 'BoxRois',
  doc: 'Converts the boxes of one image to rois: image index 0 and the first four columns, multiplied by scale.',
  inputs: {
    boxes: float32(['K', 'D'], 'boxes as x1, y1, x2, y2 in the first four columns'),
    scale: optional(float32(['4'], 'scale factors of x1, y1, x2, y2; 1 if omitted')),
  },
  attributes: {},
  least: { D: 4 },
  outputs: { rois: float32(['K', '5'], 'regions of interest as 0, x1, y1, x2, y2') },
  reads: ['boxes', 'scale'],
});

export const RoiLevels = defineOp({
  name: 'RoiLevels',
  doc:
    'Assigns each roi to level floor(log2(sqrt(w * h) / finestScale + 1e-6)) of a feature pyramid; on all other levels ' +
    'its image index is -1, for which RoiAlign gives zeros. Without rois, each level has one such row, so that no later ' +
    'op gets an empty batch.',
  inputs: { rois: float32(['K', '5'], 'regions of interest as image index, x1, y1, x2, y2 in input pixels') },
  attributes: {
    levels: { type: 'integer', default: 4, least: 1, most: 16, letter: 'L', doc: 'number of pyramid levels' },
    finestScale: {
      type: 'number',
      default: 56,
      least: 1e-3,
      doc: 'half the side of the smallest square box of the second level, in input pixels',
    },
  },
  derived: { R: ({ K }) => Math.max(K, 1) },
  outputs: {
    byLevel: float32(
      ['L', 'R', '5'],
      'regions of interest of each level; image index -1 marks those of other levels',
    ),
  },
  reads: ['rois'],
});

/**
 * Returns the anchors of a feature map. Not differentiable.
 * @param features [N, H, W, C] float32; only its size is used.
 * @param options.stride input pixels between neighbouring positions of the map.
 * @param options.scale size of an anchor in strides, 8 by default.
 * @param options.ratios height-to-width ratios, 0.5, 1 and 2 by default.
 * @returns [H * W * ratios, 4] float32: x1, y1, x2, y2 by row, column and ratio.
 * @throws {OpError} if the rank or dtype is wrong.
 */
export function anchorGrid(
  features: Tensor,
  options: { stride: number; scale?: number; ratios?: readonly number[] },
): Tensor2D {
  return runOp(AnchorGrid, { features }, { ...options })[0] as Tensor2D;
}

/**
 * Moves boxes by deltas. Computed on the host; not differentiable.
 * @param boxes [K, 4] float32: x1, y1, x2, y2.
 * @param deltas [K, 4M] float32 for M classes.
 * @param imageShape [2] int32, height and width to which corners are clamped; none by default.
 * @param options.stds four factors of the deltas, 1 by default.
 * @param options.maxRatio sizes change by at most this factor or its inverse, 16/1000 by default.
 * @returns [K, 4M] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function decodeBoxes(
  boxes: Tensor,
  deltas: Tensor,
  imageShape?: Tensor,
  options: { stds?: readonly number[]; maxRatio?: number } = {},
): Tensor2D {
  return runOp(DecodeBoxes, { boxes, deltas, imageShape }, { ...options })[0] as Tensor2D;
}

/**
 * Computes the deltas that map boxes to targets. Computed on the host; not differentiable.
 * @param boxes [K, 4] float32: x1, y1, x2, y2.
 * @param targets [K, 4] float32.
 * @param options.stds four factors of the deltas, 1 by default.
 * @returns [K, 4] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function encodeBoxes(
  boxes: Tensor,
  targets: Tensor,
  options: { stds?: readonly number[] } = {},
): Tensor2D {
  return runOp(EncodeBoxes, { boxes, targets }, { ...options })[0] as Tensor2D;
}

/**
 * Converts the boxes of one image to rois for {@link roiLevels} and `roiAlign`.
 * @param boxes [K, 4 or more] float32.
 * @param scale [4] float32 factors of x, y, x, y; 1 by default.
 * @returns [K, 5] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function boxRois(boxes: Tensor, scale?: Tensor): Tensor2D {
  return runOp(BoxRois, { boxes, scale })[0] as Tensor2D;
}

/**
 * Assigns rois to the levels of a feature pyramid.
 * @param rois [K, 5] float32: image index, x1, y1, x2, y2 in input pixels.
 * @param options.levels 4 by default.
 * @param options.finestScale half the box side at which the second level begins, 56 by default.
 * @returns [levels, max(K, 1), 5] float32; a roi that belongs to another level has image index -1.
 * @throws {OpError} if the rank or dtype is wrong.
 */
export function roiLevels(rois: Tensor, options: { levels?: number; finestScale?: number } = {}): Tensor3D {
  return runOp(RoiLevels, { rois }, { ...options })[0] as Tensor3D;
}
