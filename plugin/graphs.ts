/** Builds the graphs from which trees are chosen. */
import { type Tensor2D, tensor2d } from '@tensorflow/tfjs-core';
import { trustGraph } from './ops/graph_checks.js';
import { OpError } from './ops/input_checks.js';

/**
 * Builds the 4-connected grid: vertex v = y * width + x. All vertical pairs (y, x)-(y+1, x) come first, then all horizontal
 * pairs (y, x)-(y, x+1), both row-major with the smaller id first.
 *
 * @returns [E, 2] int32 with E = (height-1)*width + height*(width-1).
 * @throws {OpError} unless height and width are positive integers.
 */
export function gridGraph(height: number, width: number): Tensor2D {
  for (const [name, extent] of Object.entries({ height, width })) {
    if (!Number.isInteger(extent) || extent < 1) {
      throw new OpError('gridGraph', `${name} is ${extent}, expected an integer of at least 1`);
    }
  }
  const numEdges = (height - 1) * width + height * (width - 1);
  const pairs = new Int32Array(2 * numEdges);
  let at = 0;
  for (let v = 0; v < (height - 1) * width; v++) {
    pairs[at++] = v;
    pairs[at++] = v + width;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      pairs[at++] = y * width + x;
      pairs[at++] = y * width + x + 1;
    }
  }
  const edges = tensor2d(pairs, [numEdges, 2], 'int32');
  trustGraph(edges, height * width);
  return edges;
}

/** Returns the row of `gridGraph(height, width)` that joins two neighbours. */
export function gridEdge(height: number, width: number, u: number, v: number): number {
  const smaller = Math.min(u, v);
  if (Math.abs(u - v) === width) return smaller;
  const y = Math.floor(smaller / width);
  return (height - 1) * width + y * (width - 1) + (smaller % width);
}

/**
 * Builds the language graph of GrootL. Vertices stand for tokens in reversed time (vertex 0 is the last token). The tokens
 * after the prompt form a chain; from vertex length - promptLength on, each is also joined to the next `reach` ones.
 *
 * @param length number of tokens, including the prompt.
 * @param options.reach distance up to which tokens of the prompt are joined, 3 by default.
 * @param options.promptLength number of tokens of the prompt, `length` by default.
 * @returns [E, 2] int32, the smaller id first, ordered by the smaller, then the larger id.
 * @throws {OpError} unless length and reach are positive integers and promptLength is from 0 to length.
 */
export function windowGraph(
  length: number,
  options: { reach?: number; promptLength?: number } = {},
): Tensor2D {
  const { reach = 3, promptLength = length } = options;
  for (const [name, value] of Object.entries({ length, reach })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new OpError('windowGraph', `${name} is ${value}, expected an integer of at least 1`);
    }
  }
  if (!Number.isInteger(promptLength) || promptLength < 0 || promptLength > length) {
    throw new OpError(
      'windowGraph',
      `promptLength is ${promptLength}, expected an integer from 0 to length, ${length}`,
    );
  }
  const pairs: number[] = [];
  for (let v = 0; v + 1 < length; v++) {
    const furthest = v < length - promptLength ? 1 : reach;
    for (let step = 1; step <= furthest && v + step < length; step++) pairs.push(v, v + step);
  }
  const edges = tensor2d(pairs, [pairs.length / 2, 2], 'int32');
  trustGraph(edges, length);
  return edges;
}
