/** Inputs of model files in the form that networks take, and reference trees in the form that blocks take. */

import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import { type CaseTensor, float32 } from '../case.js';
import { type CaseFile, channelsLast, LayoutError, reshaped } from './case_file.js';
import { contradiction, treesOfParentIds } from './tree_cases.js';

/** Mean and deviation of ImageNet's training images, RGB, as in the reference. */
const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];

/** The side to which the digits of the reference model are resized. */
const DIGIT_SIZE = 64;

/** Normalises [N, H, W, 3] with values 0..255 by mean and deviation. */
export function normalizedImage(rgb: CaseTensor): CaseTensor {
  return float32(
    rgb.shape,
    Array.from(rgb.values, (value, i) => (value / 255 - MEAN[i % 3]) / DEVIATION[i % 3]),
  );
}

/** Digits [N, h, w], 0..255, resized to a square with half-pixel centres, as three equal channels, normalised. */
export function normalizedDigits(digits: CaseTensor): CaseTensor {
  const [count, height, width] = digits.shape;
  const neighboursOf = (size: number) =>
    Array.from({ length: DIGIT_SIZE }, (_, i) => {
      const at = Math.max(0, ((i + 0.5) * size) / DIGIT_SIZE - 0.5);
      const low = Math.min(Math.floor(at), size - 1);
      return { low, high: Math.min(low + 1, size - 1), share: at - low };
    });
  const [vertical, horizontal] = [neighboursOf(height), neighboursOf(width)];
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

/** The reference's tree of every block for one input; blocks are counted over the whole network. */
export interface BlockTrees {
  readonly trees: readonly BatchOfTrees[];
  /** exp(-cos) of every edge, [B, E], if the file has it. */
  readonly edgeWeights: readonly (CaseTensor | undefined)[];
}

/** Tensors `<prefix>levels.<i>.blocks.<j>.parent` in network order. */
export function blockTrees(file: CaseFile, prefix: string): BlockTrees {
  const found = file.names.flatMap((name) => {
    const match = name.startsWith(prefix)
      ? /^levels\.(\d+)\.blocks\.(\d+)\.parent$/.exec(name.slice(prefix.length))
      : null;
    return match ? [{ name, level: Number(match[1]), block: Number(match[2]) }] : [];
  });
  found.sort((a, b) => a.level - b.level || a.block - b.block);
  return {
    trees: found.map(({ name }) => treesOfParentIds(file.ints(name, 2))),
    edgeWeights: found.map(({ name }) => {
      const weights = name.replace(/parent$/, 'edge_weights');
      return file.has(weights) ? file.floats(weights, 2) : undefined;
    }),
  };
}

/** Images [N, C, H, W] or [N, H, W, C], or a single one without N, as [N, H, W, C]. @throws {LayoutError} */
export function imageOf(path: string, name: string, tensor: CaseTensor, channels = 3): CaseTensor {
  const batch = tensor.shape.length === 3 ? reshaped(tensor, [1, ...tensor.shape]) : tensor;
  const [, first, , last] = batch.shape;
  if (batch.shape.length === 4 && first === channels) return channelsLast(batch);
  if (batch.shape.length === 4 && last === channels) return batch;
  throw new LayoutError(
    `${path}: ${name} has the shape [${tensor.shape}], expected images of ${channels} channels`,
  );
}

/** Tensors `<name>.<tag>` with pixels 0..255; preprocessed images come before their originals. */
const PIXELS = ['crop_rgb', 'resized_rgb', 'rgb', 'image'];

/** An input of a model, as stored in a file. */
export interface ImageInput {
  /** [N, H, W, 3], normalised. */
  readonly input: CaseTensor;
  /** The same as pixels 0..255, if the file has them. */
  readonly image?: CaseTensor;
  /** Set if the two are different images. */
  readonly problem?: string;
}

/** A tensor `<name>.<tag>`, or `<name>` in a file whose only input has no tag. */
export function tagged(name: string, tag: string): string {
  return tag === '' ? name : `${name}.${tag}`;
}

/** Whether a file has an input for a tag. */
export function hasInput(file: CaseFile, tag: string): boolean {
  return ['input', ...PIXELS].some((name) => file.has(tagged(name, tag)));
}

/** `input.<tag>`, or else computed from the pixels. @throws {LayoutError} if the file has neither */
export function imageInput(file: CaseFile, tag: string): ImageInput {
  const channels = Number(file.metadata.get('in_channels') ?? 3);
  const read = (name: string, tensor: (name: string) => CaseTensor) =>
    imageOf(file.path, name, tensor(name), channels);
  const pixels = PIXELS.map((name) => tagged(name, tag))
    .filter((name) => file.has(name))
    .map((name) => read(name, /^u?int/.test(file.dtypeOf(name) ?? '') ? file.ints : file.input))
    .map(({ shape, values }) => float32(shape, values));
  const name = tagged('input', tag);
  if (!file.has(name)) {
    const [image] = pixels;
    if (image) return { input: normalizedImage(image), image };
    throw new LayoutError(
      `${file.path} has no input ${tag || 'of its model'}: expected ${name}, or pixels as ${PIXELS.map((each) => tagged(each, tag)).join(', ')}`,
    );
  }
  const input = read(name, file.input);
  // Pixels of another size are those before the image was resized, cropped or padded.
  const image = pixels.find(({ shape }) => shape.join() === input.shape.join());
  const problem =
    image &&
    contradiction(name, input.values, normalizedImage(image).values, { relative: 1e-5, absolute: 1e-5 });
  return { input, image, problem };
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
