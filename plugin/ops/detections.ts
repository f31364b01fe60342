/**
 * NonMaxSuppression, RegionProposals and ClassDetections select what a detector keeps. The number of output rows depends on
 * the values, so they read their inputs on the host. SelectChannels selects the masks of the detections.
 */
import {
  cast,
  equal,
  expandDims,
  matMul,
  range,
  reshape,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import { checkStds, imageShape, maxRatio, stds } from './boxes.js';
import { defineOp, float32, int32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';

const iouThreshold = (value: number) =>
  ({
    type: 'number',
    default: value,
    least: 0,
    doc: 'intersection over union with a kept box above which a box is dropped',
  }) as const;

const maxOutput = (count: number) =>
  ({
    type: 'integer',
    default: count,
    least: 0,
    doc: 'maximum number of results; the best are kept',
  }) as const;

export const NonMaxSuppression = defineOp({
  name: 'NonMaxSuppression',
  doc:
    'Visits boxes in descending order of score, ties by ascending index, and drops those that overlap a kept one. Boxes ' +
    'are first offset by label * (largest coordinate + 1), so that different labels do not overlap. Computed in ' +
    'float32.',
  inputs: {
    boxes: float32(['K', '4'], 'boxes as x1, y1, x2, y2'),
    scores: float32(['K'], 'score of each box; NaN is ranked last'),
    labels: optional(int32(['K'], 'class or level of each box; if omitted, all boxes share one')),
  },
  attributes: { iouThreshold: iouThreshold(0.5), maxOutput: maxOutput(2 ** 31 - 1) },
  derived: { M: ({ K }, { maxOutput }) => Math.min(K, maxOutput) },
  counted: 'M',
  outputs: { keep: int32(['M'], 'indices of the kept boxes, in visiting order') },
  reads: ['boxes', 'scores', 'labels'],
});

export const RegionProposals = defineOp({
  name: 'RegionProposals',
  doc:
    'The perLevel best anchors of each level by sigmoid(objectness), decoded and clamped; boxes not larger than minSize ' +
    'are dropped, then those that overlap a better box of the same level.',
  inputs: {
    anchors: float32(['A', '4'], 'anchors of all levels, concatenated, as x1, y1, x2, y2'),
    objectness: float32(['A'], 'objectness logit of each anchor'),
    deltas: float32(['A', '4'], 'x, y, width and height deltas'),
    levelSizes: int32(['L'], 'number of anchors of each level; the sum is A'),
    imageShape,
  },
  attributes: {
    perLevel: {
      type: 'integer',
      graphName: 'nms_pre',
      default: 1000,
      least: 1,
      doc: 'maximum number of anchors considered per level, best first',
    },
    maxOutput: maxOutput(1000),
    iouThreshold: iouThreshold(0.7),
    minSize: { type: 'number', default: 0, doc: 'width and height that a box must exceed, in pixels' },
    stds,
    maxRatio,
  },
  derived: { M: ({ A }, { maxOutput }) => Math.min(A, maxOutput) },
  counted: 'M',
  outputs: {
    proposals: float32(['M', '5'], 'proposals as x1, y1, x2, y2, score, in descending order of score'),
  },
  reads: ['anchors', 'objectness', 'deltas', 'levelSizes', 'imageShape'],
  validate: ({ anchors, levelSizes }, attributes, read) => {
    checkStds('RegionProposals', attributes);
    const sizes = read(levelSizes);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total === anchors.shape[0] && sizes.every((size) => size >= 0)) return;
    throw new OpError(
      'RegionProposals',
      `levelSizes is ${[...sizes.subarray(0, 8)].join(', ')}, expected sizes that sum to the ${anchors.shape[0]} anchors`,
    );
  },
});

export const ClassDetections = defineOp({
  name: 'ClassDetections',
  doc:
    'Every (proposal, class) whose score exceeds scoreThreshold, decoded, clamped and divided by scaleFactor; those ' +
    'that overlap a better one of the same class are dropped.',
  inputs: {
    proposals: float32(['K', '5'], 'proposals as x1, y1, x2, y2, score'),
    scores: float32(
      ['R', 'S'],
      'probabilities of S-1 classes, then of the background; the first K of R rows are used',
    ),
    deltas: float32(['R', 'D'], 'box deltas: per class with D = 4(S-1), or shared by all classes with D = 4'),
    imageShape,
    scaleFactor: float32(['4'], 'input pixels per pixel of the original image, for x1, y1, x2, y2'),
  },
  attributes: {
    scoreThreshold: { type: 'number', default: 0.05, doc: 'score that a detection must exceed' },
    iouThreshold: iouThreshold(0.5),
    maxOutput: maxOutput(100),
    stds: { ...stds, default: [0.1, 0.1, 0.2, 0.2] },
    maxRatio,
  },
  derived: {
    M: ({ K, R, S, D }, { maxOutput }) => {
      const byClass = 4 * (S - 1);
      if (D !== 4 && D !== byClass)
        throw new OpError('ClassDetections', `deltas has ${D} columns, expected 4 or ${byClass} columns`);
      if (R < K)
        throw new OpError('ClassDetections', `scores has ${R} rows for ${K} proposals, expected one each`);
      return Math.min(K * (S - 1), maxOutput);
    },
  },
  least: { S: 1 },
  counted: 'M',
  outputs: {
    boxes: float32(['M', '4'], 'detected boxes as x1, y1, x2, y2 in pixels of the original image'),
    scores: float32(['M'], 'score of each detection, descending'),
    classes: int32(['M'], 'class of each detection, zero-based'),
  },
  reads: ['proposals', 'scores', 'deltas', 'imageShape', 'scaleFactor'],
  validate: (_, attributes) => checkStds('ClassDetections', attributes),
});

export const SelectChannels = defineOp({
  name: 'SelectChannels',
  doc:
    'y[k] = x[k, :, :, channels[k]], or the only channel: selects the masks of the detected classes. Rows of x from K ' +
    'on are ignored.',
  inputs: {
    x: float32(['R', 'H', 'W', 'C'], 'maps of each row, channels last'),
    channels: int32(
      ['K'],
      'channel to select from each row, 0 to C-1; if C > 1, a channel out of range gives zeros',
    ),
  },
  attributes: {},
  derived: { X: 'R-K' },
  outputs: { y: float32(['K', 'H', 'W'], 'the selected map of each row') },
  compose: ({ x, channels }) => {
    const [, height, width, count] = x.shape as number[];
    const rows = channels.shape[0] as number;
    if (count === 1) return reshape(slice(x, 0, rows), [rows, height, width]);
    const maps = reshape(slice(x, 0, rows), [rows, height * width, count]);
    // A product with one-hot columns: exact, and differentiable, unlike gathering along two axes.
    const chosen = cast(equal(expandDims(channels, 1), range(0, count, 1, 'int32')), 'float32');
    return reshape(matMul(maps, reshape(chosen, [rows, count, 1])), [rows, height, width]);
  },
});

/**
 * Performs non-maximum suppression. Computed on the host; not differentiable.
 * @param boxes [K, 4] float32: x1, y1, x2, y2.
 * @param scores [K] float32; ties are broken by the lower index.
 * @param labels [K] int32, classes or levels that do not suppress each other; none by default.
 * @param options.iouThreshold a box is dropped when its intersection over union with a kept one exceeds it, 0.5 by default.
 * @param options.maxOutput maximum number of boxes to keep; unlimited by default.
 * @returns [M] int32, indices of the kept boxes by descending score.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function nonMaxSuppression(
  boxes: Tensor,
  scores: Tensor,
  labels?: Tensor,
  options: { iouThreshold?: number; maxOutput?: number } = {},
): Tensor1D {
  return runOp(NonMaxSuppression, { boxes, scores, labels }, { ...options })[0] as Tensor1D;
}

/**
 * Selects the proposals of a region proposal network. Computed on the host; not differentiable.
 * @param inputs.anchors [A, 4] float32, the levels one after another.
 * @param inputs.objectness [A] float32 logits.
 * @param inputs.deltas [A, 4] float32.
 * @param inputs.levelSizes [L] int32, number of anchors of each level.
 * @param inputs.imageShape [2] int32, height and width.
 * @param options the attributes of the op, with its defaults.
 * @returns [M, 5] float32: x1, y1, x2, y2, score, by descending score.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function regionProposals(
  inputs: Readonly<Record<'anchors' | 'objectness' | 'deltas' | 'levelSizes' | 'imageShape', Tensor>>,
  options: {
    perLevel?: number;
    maxOutput?: number;
    iouThreshold?: number;
    minSize?: number;
    stds?: readonly number[];
    maxRatio?: number;
  } = {},
): Tensor2D {
  return runOp(RegionProposals, { ...inputs }, { ...options })[0] as Tensor2D;
}

/** Detections of a box head: M boxes by descending score. */
export interface Detections {
  /** [M, 4] float32: x1, y1, x2, y2 in pixels of the original image. */
  readonly boxes: Tensor2D;
  /** [M] float32 */
  readonly scores: Tensor1D;
  /** [M] int32, 0-based. */
  readonly classes: Tensor1D;
}

/**
 * Selects the detections of a box head. Computed on the host; not differentiable.
 * @param inputs.proposals [K, 5] float32: x1, y1, x2, y2, score.
 * @param inputs.scores [R, classes + 1] float32 probabilities, background last; R >= K, further rows are ignored.
 * @param inputs.deltas [R, 4 * classes] float32, or [R, 4].
 * @param inputs.imageShape [2] int32, height and width of the input.
 * @param inputs.scaleFactor [4] float32, input pixels per pixel of the original image.
 * @param options the attributes of the op, with its defaults.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function classDetections(
  inputs: Readonly<Record<'proposals' | 'scores' | 'deltas' | 'imageShape' | 'scaleFactor', Tensor>>,
  options: {
    scoreThreshold?: number;
    iouThreshold?: number;
    maxOutput?: number;
    stds?: readonly number[];
    maxRatio?: number;
  } = {},
): Detections {
  const [boxes, scores, classes] = runOp(ClassDetections, { ...inputs }, { ...options });
  return { boxes: boxes as Tensor2D, scores: scores as Tensor1D, classes: classes as Tensor1D };
}

/**
 * Selects one channel of each map. Differentiable in x.
 * @param x [R, H, W, C] float32.
 * @param channels [K] int32, K <= R.
 * @returns [K, H, W] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function selectChannels(x: Tensor, channels: Tensor): Tensor3D {
  return runOp(SelectChannels, { x, channels })[0] as Tensor3D;
}
