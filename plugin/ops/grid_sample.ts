/** GridSample: samples maps at given positions by bilinear interpolation, like PyTorch's grid_sample in mode `bilinear`. */
import {
  add,
  addN,
  cast,
  clipByValue,
  concat,
  div,
  expandDims,
  floor,
  gather,
  greater,
  greaterEqual,
  isNaN as isNotANumber,
  less,
  logicalAnd,
  mul,
  pad,
  range,
  reshape,
  scalar,
  scatterND,
  slice,
  split,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  tile,
  where,
  zeros,
} from '@tensorflow/tfjs-core';
import type { AttributesOf } from './declaration.js';
import { alreadyComputed, defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

/** `zeros`: values outside the map are 0. `border`: positions are clamped to the map. */
export type Padding = 'zeros' | 'border';

const x = float32(['N', 'H', 'W', 'C'], 'feature maps, channels last');
const grid = float32(
  ['N', 'P', 'Q', '2'],
  'sampling positions (x, y), from -1 (left or top of the map) to 1 (right or bottom); NaN is read as -1',
);
const sampled = (doc: string) => float32(['N', 'P', 'Q', 'C'], doc);

const attributes = {
  padding: {
    type: 'string',
    default: 'zeros',
    oneOf: ['zeros', 'border'],
    doc: 'zeros: values outside the map are 0; border: positions are clamped to the map',
  },
  alignCorners: {
    type: 'boolean',
    default: false,
    doc: 'whether -1 and 1 are the centres of the outermost pixels; false: their outer edges',
  },
} as const;

type Options = AttributesOf<typeof attributes>;

export const GridSample = defineOp({
  name: 'GridSample',
  doc:
    'y[n, p, q] = x[n] interpolated between the four pixels around position grid[n, p, q]: column (gx + 1) / 2 * ' +
    '(W - 1) with align_corners, ((gx + 1) * W - 1) / 2 without, in float32, and likewise for rows.',
  inputs: { x, grid },
  attributes,
  outputs: { y: sampled('the values there') },
  least: { H: 1, W: 1 },
  compose: ({ x, grid }, options) => {
    if (grid.size === 0 || x.size === 0) return zeros([...grid.shape.slice(0, 3), x.shape[3] as number]);
    const corners = cornersOf(x, grid, options as Options);
    const terms = corners.values.map((values, i) => mul(values, corners.weights[i]));
    return reshape(addN(terms), [...grid.shape.slice(0, 3), x.shape[3] as number]);
  },
  gradient: {
    saves: ['x', 'grid'],
    compute: ({ x, grid }, [dy], attributes) => {
      const [dx, dgrid] = runOp(GridSampleGradient, { x, grid, dy }, attributes);
      return alreadyComputed({ x: dx, grid: dgrid });
    },
  },
});

export const GridSampleGradient = defineOp({
  name: 'GridSampleGradient',
  doc:
    'Gradients of GridSample with respect to x and grid, given the gradient dy with respect to its output. On the ' +
    'centre line of a row or column of pixels, that of grid is the derivative to the right or below; with border ' +
    'padding it is 0 on the outermost lines and beyond.',
  inputs: { x, grid, dy: sampled('gradient with respect to the output') },
  attributes,
  outputs: { dx: x, dgrid: grid },
  least: { H: 1, W: 1 },
  compose: ({ x, grid, dy }, options) => {
    if (grid.size === 0 || x.size === 0) return [zeros(x.shape), zeros(grid.shape)];
    const { padding } = options as Options;
    const { values, weights, indices, axes, shape } = cornersOf(x, grid, options as Options);
    const channels = shape[3];
    const rows = reshape(dy, [-1, channels]);
    const spread = scatterND(
      expandDims(concat([...indices]), 1),
      concat(weights.map((weight) => mul(rows, weight))),
      [shape[0] * shape[1] * shape[2], channels],
    );
    const around = reshape(spread, shape);
    const dx = padding === 'zeros' ? slice(around, [0, 1, 1, 0], x.shape as number[]) : around;
    const [upLeft, upRight, downLeft, downRight] = values.map((corner) => sum(mul(corner, rows), 1, true));
    const [row, column] = axes;
    const along = (low: Tensor, high: Tensor, { low: weight, high: rest }: Axis) =>
      add(mul(low, weight), mul(high, rest));
    const dColumn = along(sub(upRight, upLeft), sub(downRight, downLeft), row);
    const dRow = along(sub(downLeft, upLeft), sub(downRight, upRight), column);
    return [dx, reshape(concat([mul(dColumn, column.slope), mul(dRow, row.slope)], 1), grid.shape)];
  },
});

/** Positions along one axis: the pixel at or before each, and the weights of it and of the next pixel, all [N*P*Q, 1]. */
interface Axis {
  readonly first: Tensor;
  readonly low: Tensor;
  readonly high: Tensor;
  /** Derivative of the pixel position with respect to the grid value; 0 where the position is clamped. */
  readonly slope: Tensor;
}

/** The four pixels around each position: upper left, upper right, lower left, lower right. */
interface Corners {
  /** Each [N*P*Q, C]. */
  readonly values: readonly Tensor[];
  /** Each [N*P*Q, 1]. */
  readonly weights: readonly Tensor[];
  /** Each [N*P*Q], into the pixels of all maps. */
  readonly indices: readonly Tensor[];
  readonly axes: readonly [row: Axis, column: Axis];
  /** Shape of the sampled maps: with `zeros` they are padded with one pixel of zeros on every side. */
  readonly shape: [number, number, number, number];
}

function cornersOf(x: Tensor, grid: Tensor, { padding, alignCorners }: Options): Corners {
  const edge = padding === 'zeros' ? 1 : 0;
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  const maps =
    edge === 0
      ? x
      : pad(x, [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]);
  const shape = [images, height + 2 * edge, width + 2 * edge, channels] as Corners['shape'];
  const [gx, gy] = split(reshape(grid, [-1, 2]), 2, 1);
  const [row, column] = [axisOf(gy, height, edge, alignCorners), axisOf(gx, width, edge, alignCorners)];
  const image = reshape(
    tile(reshape(range(0, images, 1, 'int32'), [images, 1]), [1, grid.size / images / 2]),
    [-1, 1],
  );
  const flat = reshape(maps, [-1, channels]);
  const at = (axis: Axis, next: number, size: number) =>
    cast(clipByValue(add(axis.first, next), 0, size - 1), 'int32');
  const indices = [0, 1].flatMap((down) =>
    [0, 1].map((right) => {
      const line = add(mul(image, scalar(shape[1], 'int32')), at(row, down, shape[1]));
      return reshape(add(mul(line, scalar(shape[2], 'int32')), at(column, right, shape[2])), [-1]);
    }),
  );
  return {
    values: indices.map((index) => gather(flat, index)),
    weights: [row.low, row.high].flatMap((ofRow) =>
      [column.low, column.high].map((ofColumn) => mul(ofRow, ofColumn)),
    ),
    indices,
    axes: [row, column],
    shape,
  };
}

function axisOf(given: Tensor, size: number, edge: number, alignCorners: boolean): Axis {
  const along = add(where(isNotANumber(given), -1, given), 1);
  const position = alignCorners ? mul(div(along, 2), size - 1) : div(sub(mul(along, size), 1), 2);
  const last = size - 1 + edge;
  const inside = clipByValue(position, -edge, last);
  const before = floor(inside);
  const high = sub(inside, before);
  const counts =
    edge === 0 ? logicalAnd(greater(position, 0), less(position, last)) : greaterEqual(position, -edge);
  return {
    first: add(before, edge),
    low: sub(1, high),
    high,
    slope: mul(cast(counts, 'float32'), (alignCorners ? size - 1 : size) / 2),
  };
}

/**
 * Samples maps between their pixels, like PyTorch's `grid_sample` in mode `bilinear`. Differentiable in both inputs.
 * @param x [N, H, W, C] float32 maps with at least one pixel.
 * @param grid [N, P, Q, 2] float32 positions (x, y): -1 is the left or top end of a map, 1 the right or bottom end. NaN is
 *   read as -1.
 * @param options.padding values outside the map: `zeros` (default), or `border`, the value at the nearest position of the
 *   map.
 * @param options.alignCorners whether -1 and 1 are the centres of the outermost pixels; false (default): their outer edges.
 * @returns [N, P, Q, C] float32.
 * @throws {OpError} if a rank, dtype or size is wrong, or the maps have no pixels.
 */
export function gridSample(
  x: Tensor,
  grid: Tensor,
  options: { padding?: Padding; alignCorners?: boolean } = {},
): Tensor4D {
  return runOp(GridSample, { x, grid }, { ...options })[0] as Tensor4D;
}
