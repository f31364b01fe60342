/** Images of model files as the networks take them, and reference trees as their blocks take them. */
import type { CaseTensor } from '../case.js';
import { float32 } from '../case.js';
import { type CaseFile, channelsLast } from './case_file.js';
import { type BatchOfTrees, treesOfParentIds } from './tree_cases.js';

/** Mean and deviation of ImageNet's training images, RGB, as the reference takes them out. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** The side to which the digits of the reference model are resized. */
const DIGIT_SIZE = 64;

/** [N, H, W, 3] of values 0..255, mean and deviation taken out. */
export function normalizedImage(rgb: CaseTensor): CaseTensor {
  return float32(
    rgb.shape,
    Array.from(rgb.values, (value, i) => (value / 255 - MEAN[i % 3]) / DEVIATION[i % 3]),
  );
}

/** [N, h, w] digits, 0..255, resized to a square with half-pixel centres, as three equal channels, normalised. */
export function normalizedDigits(digits: CaseTensor): CaseTensor {
  const [count, height, width] = digits.shape;
  const taps = (size: number) =>
    Array.from({ length: DIGIT_SIZE }, (_, i) => {
      const at = Math.max(0, ((i + 0.5) * size) / DIGIT_SIZE - 0.5);
      const low = Math.min(Math.floor(at), size - 1);
      return { low, high: Math.min(low + 1, size - 1), share: at - low };
    });
  const [vertical, horizontal] = [taps(height), taps(width)];
  const shape = [count, DIGIT_SIZE, DIGIT_SIZE, 3];
  const image = float32(shape, new Float32Array(count * DIGIT_SIZE * DIGIT_SIZE * 3));
  let at = 0;
  for (let n = 0; n < count; n++) {
    const pixel = (y: number, x: number) => digits.values[(n * height + y) * width + x] / 255;
    for (const y of vertical) {
      for (const x of horizontal) {
        const above = pixel(y.low, x.low) * (1 - x.share) + pixel(y.low, x.high) * x.share;
        const below = pixel(y.high, x.low) * (1 - x.share) + pixel(y.high, x.high) * x.share;
        const value = above * (1 - y.share) + below * y.share;
        for (let c = 0; c < 3; c++) image.values[at++] = (value - MEAN[c]) / DEVIATION[c];
      }
    }
  }
  return image;
}

/** The reference's tree of every block for one input: blocks are counted over the whole network. */
export interface BlockTrees {
  readonly trees: readonly BatchOfTrees[];
  /** exp(-cos) of every edge, [B, E], where the file has it. */
  readonly edgeWeights: readonly (CaseTensor | undefined)[];
}

/** Tensors `<prefix>levels.<i>.blocks.<j>.parent` in the order of the network. */
export function blockTrees(file: CaseFile, prefix: string): BlockTrees {
  const found = file.names.flatMap((name) => {
    const match = name.startsWith(prefix)
      ? /^levels\.(\d+)\.blocks\.(\d+)\.parent$/.exec(name.slice(prefix.length))
      : null;
    return match ? [{ name, level: Number(match[1]), block: Number(match[2]) }] : [];
  });
  found.sort((a, b) => a.level - b.level || a.block - b.block);
  return {
    trees: found.map(({ name }) => treesOfParentIds(file.ints(name))),
    edgeWeights: found.map(({ name }) => {
      const weights = name.replace(/parent$/, 'edge_weights');
      return file.has(weights) ? file.floats(weights) : undefined;
    }),
  };
}

/** [N, 3, H, W] -> [N, H, W, 3]. */
export function imageOf(file: CaseFile, name: string): CaseTensor {
  return channelsLast(file.floats(name));
}

/** The first items of a batch. */
export function firstItems(tensor: CaseTensor, count: number): CaseTensor {
  const size = tensor.values.length / tensor.shape[0];
  return {
    dtype: tensor.dtype,
    shape: [count, ...tensor.shape.slice(1)],
    values: tensor.values.subarray(0, count * size),
  } as CaseTensor;
}
