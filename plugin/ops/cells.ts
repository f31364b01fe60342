/**
 * Ops on a map divided into square cells, for UIS-Mamba (R. Cong et al., 2025): CellMeans, CellCoordinates, and
 * ForegroundMask, which separates cells that resemble their neighbours from the others. They are nodes of a converted model,
 * so that one graph serves every image size.
 */
import {
  add,
  addN,
  cast,
  div,
  greaterEqual,
  max,
  maximum,
  mul,
  norm,
  pad,
  reshape,
  scalar,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
  topk,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { poolingMap } from '../kernels/axis_map.js';
import { defineOp, float32 } from './declare.js';
import { OpError } from './input_checks.js';
import { resample, resampleGradient, sameForAll } from './resample.js';
import type { Letters } from './shape_letters.js';

const side = { type: 'integer', least: 1, doc: 'side of a cell, in pixels' } as const;

/** Number of whole cells along an axis; the remainder is ignored. */
function cellsAlong(op: string, axis: string, extent: number, side: number): number {
  if (extent >= side) return Math.floor(extent / side);
  throw new OpError(op, `x has ${extent} ${axis}, expected at least ${side}, the side of a cell`);
}

function cellsOf(op: string) {
  return {
    P: ({ H }: Letters, { side }: { readonly side: number }) => cellsAlong(op, 'rows', H, side),
    Q: ({ W }: Letters, { side }: { readonly side: number }) => cellsAlong(op, 'columns', W, side),
  };
}

function meansOf({ shape }: Tensor, side: number) {
  const [images, height, width] = shape as number[];
  const along = (extent: number) => {
    const cells = Math.floor(extent / side);
    return poolingMap(cells * side, cells);
  };
  return sameForAll(images, along(height), along(width));
}

export const CellMeans = defineOp({
  name: 'CellMeans',
  doc: 'The mean of each cell of side x side pixels. Rows and columns beyond the last whole cell are ignored.',
  inputs: { x: float32(['N', 'H', 'W', 'C'], 'feature maps') },
  attributes: { side },
  derived: cellsOf('CellMeans'),
  outputs: { y: float32(['N', 'P', 'Q', 'C'], 'mean of each cell') },
  compose: ({ x }, { side }) => resample(x, meansOf(x, side)),
  gradient: {
    saves: ['x'],
    compute: ({ x }, [dy], { side }) => ({
      x: () => tidy(() => resampleGradient(dy, meansOf(x, side), x.shape as number[])),
    }),
  },
});

export const CellCoordinates = defineOp({
  name: 'CellCoordinates',
  doc:
    'Positions (x, y) of the cells of a map in the coordinates of GridSample: 2j / max(Q-1, 1) - 1 with align_corners, ' +
    '(2j + 1) / Q - 1 without; and the size of a cell, (2/Q, 2/P).',
  inputs: {
    x: {
      ...float32(['N', 'H', 'W', 'C'], 'feature map; only its height and width are used'),
      shapeOnly: true,
    },
  },
  attributes: {
    side,
    alignCorners: {
      type: 'boolean',
      default: false,
      doc: 'whether -1 and 1 are the centres of the outermost cells; false: their outer edges',
    },
  },
  derived: cellsOf('CellCoordinates'),
  outputs: {
    coordinates: float32(['1', 'P', 'Q', '2'], 'coordinates (x, y) of the cell centres'),
    size: float32(['2'], 'width and height of a cell, (2/Q, 2/P)'),
  },
  compose: ({ x }, { side, alignCorners }) => {
    const [rows, columns] = x.shape.slice(1, 3).map((extent) => Math.floor((extent as number) / side));
    const at = (i: number, count: number) =>
      alignCorners ? (2 * i) / Math.max(count - 1, 1) - 1 : (2 * i + 1) / count - 1;
    const values = new Float32Array(2 * rows * columns);
    for (let i = 0; i < values.length; i += 2) {
      values[i] = at((i >> 1) % columns, columns);
      values[i + 1] = at(Math.floor((i >> 1) / columns), rows);
    }
    return [
      tensor(values, [1, rows, columns, 2], 'float32'),
      tensor(Float32Array.of(2 / columns, 2 / rows), [2], 'float32'),
    ];
  },
});

/** Lower bound of feature norms, and the term added under the square root of distances, as in the authors' code. */
const SMALLEST_NORM = 1e-12;
const SMALLEST_SQUARE = 1e-8;
/** Added to the largest degree. */
const SMALLEST_DEGREE = 1e-8;
/** Divisor of distances between coordinates: the authors' value for the square root of 2. */
// biome-ignore lint/suspicious/noApproximativeNumericConstant: it is their number.
const FAR = 1.414;

const inputs = {
  features: float32(['N', 'H', 'W', 'C'], 'features of each cell'),
  coordinates: float32(['N', 'H', 'W', '2'], 'coordinates (x, y) of each cell'),
  share: float32(['1'], 'weight a of the feature similarity; the proximity has weight 1 - a'),
} as const;

export const ForegroundMask = defineOp({
  name: 'ForegroundMask',
  doc:
    '1 for cells whose degree is at least the (lower) median of their map, else 0. The degree is twice the sum, over ' +
    'neighbours in the 4-connected grid, of a cos(f_u, f_v) + (1 - a) (1 - sqrt(|c_u - c_v|^2 + 1e-8) / 1.414), divided ' +
    'by the largest degree of the map + 1e-8.',
  inputs,
  attributes: {},
  outputs: { mask: float32(['N', 'H', 'W', '1'], '1 for foreground cells, else 0') },
  least: { H: 1, W: 1 },
  compose: ({ features, coordinates, share }) => {
    const [images, height, width] = features.shape as number[];
    const cells = height * width;
    if (images === 0) return zerosLike(slice(coordinates, [0, 0, 0, 0], [-1, -1, -1, 1]));
    const directions = div(features, maximum(norm(features, 2, 3, true), SMALLEST_NORM));
    const sums = [1, 2].flatMap((axis) => {
      if (features.shape[axis] === 1) return [];
      return toBothEnds(likenessAlong(axis, directions, coordinates, share), axis);
    });
    // A single cell has no neighbours; it is its own median.
    const degrees = reshape(
      sums.length === 0 ? zerosLike(slice(coordinates, [0, 0, 0, 0], [-1, -1, -1, 1])) : addN(sums),
      [images, cells],
    );
    const scaled = div(mul(degrees, 2), add(max(mul(degrees, 2), 1, true), SMALLEST_DEGREE));
    // The lower median is the smallest of the `count` largest values.
    const count = cells - Math.floor((cells - 1) / 2);
    const { values } = topk(scaled, count);
    const median = slice(values, [0, count - 1], [-1, 1]);
    return reshape(cast(greaterEqual(scaled, median), 'float32'), [images, height, width, 1]);
  },
  gradient: {
    saves: ['features', 'coordinates', 'share'],
    // The mask is piecewise constant in its inputs.
    compute: (saved) => ({
      features: () => zerosLike(saved.features),
      coordinates: () => zerosLike(saved.coordinates),
      share: () => zerosLike(saved.share),
    }),
  },
});

/** Similarity of each cell and the next one along an axis; the result is one shorter along that axis. */
function likenessAlong(axis: number, directions: Tensor, coordinates: Tensor, share: Tensor): Tensor {
  const pair = (x: Tensor) => {
    const size = x.shape.slice() as number[];
    size[axis]--;
    const begin = [0, 0, 0, 0];
    const next = begin.map((first, each) => (each === axis ? 1 : first));
    return [slice(x, begin, size), slice(x, next, size)] as const;
  };
  const [from, to] = pair(coordinates);
  const distance = sqrt(add(sum(square(sub(from, to)), 3, true), SMALLEST_SQUARE));
  const near = sub(1, div(distance, FAR));
  const cosine = sum(mul(...pair(directions)), 3, true);
  return add(mul(cosine, share), mul(near, sub(scalar(1), share)));
}

/** Pads values between neighbouring cells to the cells before them and to the cells after them. */
function toBothEnds(between: Tensor, axis: number): Tensor[] {
  const at = (before: number, after: number) =>
    pad(
      between,
      [0, 1, 2, 3].map((each): [number, number] => (each === axis ? [before, after] : [0, 0])),
    );
  return [at(0, 1), at(1, 0)];
}
