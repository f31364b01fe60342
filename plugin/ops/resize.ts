/**
 * InterpolateBilinear, InterpolateNearest and AdaptiveAveragePool: resize images as PyTorch does. tfjs's bilinear resizing
 * gives the same result (within 7e-7 of the largest value), but its gradient ignores half-pixel centres: it was off by twice
 * the largest value, and on its cpu backend fails unless height and width are equal. Its nearest-neighbour resizing differs
 * for 315 of the 12,800 pairs of sizes up to 64 and 200, because it does not round the quotient.
 */
import { type Tensor, type Tensor4D, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { type AxisMap, bilinearMap, nearestMap, poolingMap } from '../kernels/axis_map.js';
import { defineOp, float32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';
import { resample, resampleGradient, sameForAll } from './resample.js';
import type { Letters } from './shape_letters.js';

const images = float32(['N', 'H', 'W', 'C'], 'images, channels last');

/** 0 if the size is that of `like`. */
const side = {
  type: 'integer',
  default: 0,
  least: 0,
  doc: 'extent of y in pixels; 0: that of `like`',
} as const;

const resized = {
  inputs: {
    x: images,
    like: optional(
      float32(['B', 'I', 'J', 'D'], 'reference for the size of y; only its height and width are used'),
    ),
  },
  outputs: { y: float32(['N', 'P', 'Q', 'C'], 'resized images') },
  least: { H: 1, W: 1, P: 1, Q: 1 },
} as const;

const size = { height: side, width: side };

/** The side of y: as given, or that of `like`. */
function sideOf(op: string, name: 'height' | 'width', given: number, like: number | undefined): number {
  const extent = given || like;
  if (extent !== undefined) return extent;
  throw new OpError(op, `neither ${name} nor like is given, expected one of them`);
}

function derivedSize(op: string) {
  return {
    P: ({ I }: Letters, { height }: { readonly height: number }) => sideOf(op, 'height', height, I),
    Q: ({ J }: Letters, { width }: { readonly width: number }) => sideOf(op, 'width', width, J),
  };
}

/** Defines an op that maps rows and columns to a new size, and its gradient. */
function resizing<A>(mapOf: (size: number, count: number, attributes: A) => AxisMap) {
  const map = (x: Tensor, [height, width]: readonly number[], attributes: A) =>
    sameForAll(
      x.shape[0] as number,
      mapOf(x.shape[1] as number, height, attributes),
      mapOf(x.shape[2] as number, width, attributes),
    );
  return {
    forward: (x: Tensor, to: readonly number[], attributes: A) => resample(x, map(x, to, attributes)),
    gradient: (x: Tensor, like: Tensor | undefined, dy: Tensor, attributes: A) => ({
      x: () =>
        tidy(() =>
          resampleGradient(dy, map(x, dy.shape.slice(1, 3) as number[], attributes), x.shape as number[]),
        ),
      ...(like && { like: () => zerosLike(like) }),
    }),
  };
}

interface Size {
  readonly height: number;
  readonly width: number;
}

function newSize(like: Tensor | undefined, { height, width }: Size): [number, number] {
  return [height || (like?.shape[1] as number), width || (like?.shape[2] as number)];
}

const bilinear = resizing((size, count, { alignCorners }: { readonly alignCorners: boolean }) =>
  bilinearMap(size, count, alignCorners),
);
const nearest = resizing((size, count) => nearestMap(size, count));
const pooling = resizing((size, count) => poolingMap(size, count));

export const InterpolateBilinear = defineOp({
  ...resized,
  name: 'InterpolateBilinear',
  doc:
    'Bilinear interpolation with half-pixel centres: source max((d + 0.5) * n / m - 0.5, 0), neighbours i and ' +
    'min(i + 1, n - 1); no antialiasing when shrinking.',
  attributes: {
    ...size,
    alignCorners: {
      type: 'boolean',
      default: false,
      doc: 'whether corner pixels map to corner pixels; false: half-pixel centres',
    },
  },
  derived: derivedSize('InterpolateBilinear'),
  compose: ({ x, like }, attributes) => bilinear.forward(x, newSize(like, attributes), attributes),
  gradient: {
    saves: ['x', 'like'],
    compute: ({ x, like }, [dy], attributes) => bilinear.gradient(x, like, dy, attributes),
  },
});

export const InterpolateNearest = defineOp({
  ...resized,
  name: 'InterpolateNearest',
  doc: 'Nearest-neighbour interpolation: source min(floor(d * float32(n / m)), n - 1).',
  attributes: size,
  derived: derivedSize('InterpolateNearest'),
  compose: ({ x, like }, attributes) => nearest.forward(x, newSize(like, attributes), attributes),
  gradient: {
    saves: ['x', 'like'],
    compute: ({ x, like }, [dy], attributes) => nearest.gradient(x, like, dy, attributes),
  },
});

export const AdaptiveAveragePool = defineOp({
  name: 'AdaptiveAveragePool',
  doc: 'Means over cells: cell i of m covers the pixels floor(i * n / m) to ceil((i + 1) * n / m); n may be less than m.',
  inputs: { x: images },
  attributes: {
    outHeight: { type: 'integer', least: 1, letter: 'P', doc: 'number of rows P of cells' },
    outWidth: { type: 'integer', least: 1, letter: 'Q', doc: 'number of columns Q of cells' },
  },
  outputs: { y: float32(['N', 'P', 'Q', 'C'], 'mean of each cell') },
  least: { H: 1, W: 1 },
  compose: ({ x }, { outHeight, outWidth }) => pooling.forward(x, [outHeight, outWidth], {}),
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => pooling.gradient(x, undefined, dy, {}) },
});

/** A size, or a tensor [_, height, width, _] of that size. */
type NewSize = Size | Tensor;

function sizeArguments(to: NewSize) {
  const isTensor = 'shape' in (to ?? {});
  return isTensor
    ? { like: to as Tensor, attributes: {} }
    : { like: undefined, attributes: { height: (to as Size)?.height, width: (to as Size)?.width } };
}

/**
 * Resizes images by bilinear interpolation with half-pixel centres, as PyTorch does. Differentiable in x.
 * @param x [N, H, W, C] float32.
 * @param to `{height, width}` in pixels, or a tensor [B, height, width, D] float32.
 * @param options `alignCorners`: whether the centres of the corner pixels are aligned; false by default.
 * @returns [N, height, width, C] float32.
 * @throws {OpError} if a rank or dtype is wrong, or the images have no pixels.
 */
export function interpolateBilinear(
  x: Tensor,
  to: NewSize,
  { alignCorners }: { alignCorners?: boolean } = {},
): Tensor4D {
  const { like, attributes } = sizeArguments(to);
  return runOp(InterpolateBilinear, { x, like }, { ...attributes, alignCorners })[0] as Tensor4D;
}

/**
 * Resizes images by nearest-neighbour interpolation, as PyTorch does. Differentiable in x.
 * @param x [N, H, W, C] float32.
 * @param to `{height, width}` in pixels, or a tensor [B, height, width, D] float32.
 * @returns [N, height, width, C] float32.
 * @throws {OpError} if a rank or dtype is wrong, or the images have no pixels.
 */
export function interpolateNearest(x: Tensor, to: NewSize): Tensor4D {
  const { like, attributes } = sizeArguments(to);
  return runOp(InterpolateNearest, { x, like }, attributes)[0] as Tensor4D;
}

/**
 * Averages over a grid of cells, as PyTorch does; cells overlap where sizes do not divide. Differentiable in x.
 * @param x [N, H, W, C] float32.
 * @param size.outHeight rows of cells, and `outWidth` columns.
 * @returns [N, outHeight, outWidth, C] float32.
 * @throws {OpError} if the rank or dtype is wrong, or the images have no pixels.
 */
export function adaptiveAveragePool(x: Tensor, size: { outHeight: number; outWidth: number }): Tensor4D {
  return runOp(AdaptiveAveragePool, { x }, { ...size })[0] as Tensor4D;
}
