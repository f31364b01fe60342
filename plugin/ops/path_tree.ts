/**
 * PathTree: a path through the pixels of a grid as a tree, so that a scan along it is the recurrence of a model that reads
 * images line by line (raster and cross scans).
 */
import { type Tensor, type Tensor2D, tensor2d } from '@tensorflow/tfjs-core';
import { type Tree, treeOf } from './boruvka_mst.js';
import { defineOp, float32, int32 } from './declare.js';
import { trustTree } from './graph_checks.js';
import { completeAttributes, OpError } from './input_checks.js';

/** `row`: row by row. `snake`: row by row, odd rows backwards. `column`: column by column. */
export type PathDirection = 'row' | 'snake' | 'column';

const pathAttributes = {
  direction: {
    type: 'string',
    default: 'row',
    oneOf: ['row', 'snake', 'column'],
    doc: 'row: row by row; snake: row by row, odd rows backwards; column: column by column',
  },
  reverse: { type: 'boolean', default: false, doc: 'whether to run from the last pixel to the first' },
} as const;

export const PathTree = defineOp({
  name: 'PathTree',
  doc: 'A path through all pixels of x as a tree, rooted at its first pixel: see pathTree.',
  inputs: {
    x: {
      ...float32(['N', 'H', 'W', 'C'], 'image; only its batch, height and width are used'),
      shapeOnly: true,
    },
  },
  attributes: pathAttributes,
  derived: { V: 'H*W' },
  outputs: {
    edgeIndex: int32(['N', 'V-1'], 'edge indices 0 to V-2; edge i joins order[i] and order[i+1]'),
    order: int32(['N', 'V'], 'vertex ids along the path'),
    parent: int32(['N', 'V'], 'position in `order` of the parent: the preceding one; 0 for the root'),
  },
  least: { H: 1, W: 1 },
  compose: ({ x }, { direction, reverse }) => {
    const [batch, height, width] = x.shape as number[];
    const { edgeIndex, order, parent } = pathTree(height, width, { direction, reverse, batch });
    return [edgeIndex, order, parent];
  },
});

/**
 * Returns a path through all pixels of a grid, vertex v = y * width + x, as a tree rooted at its first pixel. A scan along
 * it with the aggregate `leaves` is the ordinary recurrence h(t) = decay * h(t-1) + x; with `all` it goes both ways.
 *
 * @param options.direction `row` (default): row by row; `snake`: odd rows backwards; `column`: column by column.
 * @param options.reverse whether the path goes from the last pixel to the first; false by default.
 * @param options.batch number of copies of the path, B, 1 by default.
 * @returns order and parent [B, V]; edgeIndex [B, V-1] holds 0 to V-2, indices of the path's edges: edge i joins order[i]
 *   and order[i+1]. (Where a row ends, this is not an edge of the grid.)
 * @throws {OpError} unless height and width are positive integers and batch is an integer of at least 0, or if the direction
 *   is unknown.
 */
export function pathTree(
  height: number,
  width: number,
  options: { direction?: PathDirection; reverse?: boolean; batch?: number } = {},
): Tree {
  const { batch = 1, ...rest } = options;
  for (const [name, value, least] of [
    ['height', height, 1],
    ['width', width, 1],
    ['batch', batch, 0],
  ] as const) {
    if (Number.isInteger(value) && value >= least) continue;
    throw new OpError('PathTree', `${name} is ${value}, expected an integer of at least ${least}`);
  }
  const { direction, reverse } = completeAttributes(PathTree, rest);
  const path = pixelsInOrder(height, width, direction as PathDirection);
  if (reverse) path.reverse();
  const size = path.length;
  const positions = Int32Array.from({ length: size }, (_, i) => Math.max(0, i - 1));
  const repeated = (row: Int32Array): Tensor2D => {
    const values = new Int32Array(batch * row.length);
    for (let b = 0; b < batch; b++) values.set(row, b * row.length);
    return tensor2d(values, [batch, row.length], 'int32');
  };
  // Parent positions from the second pixel on are 0, 1, ..., which are also the indices of the path's edges.
  const tensors: Tensor[] = [positions.subarray(1), path, positions].map(repeated);
  trustTree(tensors[1], tensors[2], path[0]);
  return treeOf(tensors);
}

function pixelsInOrder(height: number, width: number, direction: PathDirection): Int32Array {
  const path = new Int32Array(height * width);
  let at = 0;
  if (direction === 'column') {
    for (let x = 0; x < width; x++) for (let y = 0; y < height; y++) path[at++] = y * width + x;
    return path;
  }
  for (let y = 0; y < height; y++) {
    const isBackwards = direction === 'snake' && y % 2 === 1;
    for (let x = 0; x < width; x++) path[at++] = y * width + (isBackwards ? width - 1 - x : x);
  }
  return path;
}
