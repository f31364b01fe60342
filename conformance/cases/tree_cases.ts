/** Common to several kinds of files: trees, checks of a file against the float64 oracle. */

import {
  type BatchOfTrees,
  batchOfTrees,
  type RootedTree,
  treeOfParentIds,
} from '../../plugin/ops/spec/rooted_tree.js';
import { type CaseTensor, itemsOf } from '../../plugin/ops/spec/tensor.js';
import { LayoutError } from './case_file.js';

/** Trees from a tensor [B, V] of parent vertex ids, -1 for the root. @throws {Error} if they are not trees, or there are none */
export function treesOfParentIds(parentIds: CaseTensor): BatchOfTrees {
  if (parentIds.shape[0] === 0) throw new LayoutError('the batch is empty: there is nothing to compare');
  return batchOfTrees(itemsOf(parentIds).map(treeOfParentIds));
}

/**
 * Compares a file's values with the float64 oracle's: a case that contradicts itself says nothing about a backend.
 * @param relative bound, relative to each value
 * @param absolute bound for all values
 * @returns what is wrong, or undefined
 */
export function contradiction(
  name: string,
  file: ArrayLike<number>,
  oracle: ArrayLike<number>,
  { relative, absolute }: { relative: number; absolute: number },
): string | undefined {
  if (file.length !== oracle.length) return `${name} has ${file.length} values, expected ${oracle.length}`;
  for (let i = 0; i < file.length; i++) {
    if (file[i] === oracle[i] || (Number.isNaN(file[i]) && Number.isNaN(oracle[i]))) continue;
    const allowed = relative * Math.abs(oracle[i]) + absolute;
    if (!(Math.abs(file[i] - oracle[i]) <= allowed)) {
      return `the file contradicts the float64 oracle: ${name}[${i}] is ${file[i]}, expected ${oracle[i]}`;
    }
  }
  return undefined;
}

/** The bound for a float64 value that was stored as float32. */
export function storedAsFloat32(scale: number) {
  return { relative: 2 ** -23, absolute: 1e-9 * scale };
}

/** The vertex pairs of edges, the smaller id first, as a set of keys. */
function edgeKeys(pairs: ArrayLike<number>): Set<string> {
  const keys = new Set<string>();
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    keys.add(`${Math.min(pairs[i], pairs[i + 1])}-${Math.max(pairs[i], pairs[i + 1])}`);
  }
  return keys;
}

/** Whether two lists contain the same edges. */
export function sameEdges(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const [left, right] = [edgeKeys(a), edgeKeys(b)];
  return left.size === right.size && [...left].every((key) => right.has(key));
}

/** The vertex pairs of a tree. */
export function pairsOf({ order, parent }: RootedTree): number[] {
  const pairs: number[] = [];
  for (let i = 1; i < order.length; i++) pairs.push(order[parent[i]], order[i]);
  return pairs;
}

/** @throws {Error} unless `edges` are pairs of vertex ids */
export function checkEdges(edges: CaseTensor, numVertices: number): void {
  if (edges.shape.length !== 2 || edges.shape[1] !== 2) {
    throw new LayoutError(`the edges have the shape [${edges.shape}], expected [E, 2]`);
  }
  const wrong = edges.values.findIndex((id) => !(id >= 0 && id < numVertices));
  if (wrong >= 0) {
    throw new Error(
      `edge ${wrong >> 1} names the vertex ${edges.values[wrong]}, expected 0 to ${numVertices - 1}`,
    );
  }
}

/** @throws {LayoutError} unless the tensors, given by name, have the same shape */
export function checkSameShape(path: string, tensors: Readonly<Record<string, CaseTensor>>): void {
  const [[first, { shape }], ...rest] = Object.entries(tensors);
  for (const [name, other] of rest) {
    if (other.shape.join() === shape.join()) continue;
    throw new LayoutError(`${path}: ${name} has the shape [${other.shape}], expected [${shape}] as ${first}`);
  }
}
