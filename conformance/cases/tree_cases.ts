/** What several kinds of files have in common: trees, checks of a file against the float64 oracle. */
import { type CaseTensor, int32 } from '../case.js';
import type { RootedTree } from '../oracles/rooted_tree.js';
import { depthOf, treeOfParentIds } from '../oracles/rooted_tree.js';
import { LayoutError } from './case_file.js';

/** The trees of a batch as the ops take them. */
export interface BatchOfTrees {
  readonly trees: readonly RootedTree[];
  readonly order: CaseTensor;
  readonly parent: CaseTensor;
  readonly depth: number;
}

/** The rows of a tensor [B, ...] as [B] arrays. */
export function rows(tensor: CaseTensor): CaseTensor['values'][] {
  const batch = tensor.shape[0];
  const size = batch === 0 ? 0 : tensor.values.length / batch;
  return Array.from({ length: batch }, (_, b) => tensor.values.subarray(b * size, (b + 1) * size));
}

/** @throws {LayoutError} without a tree: an empty batch has nothing to compare */
export function batchOfTrees(trees: readonly RootedTree[]): BatchOfTrees {
  if (trees.length === 0) throw new LayoutError('the batch is empty: there is nothing to compare');
  const shape = [trees.length, trees[0].order.length];
  const flatten = (part: 'order' | 'parent') =>
    int32(
      shape,
      trees.flatMap((tree) => Array.from(tree[part])),
    );
  return {
    trees,
    order: flatten('order'),
    parent: flatten('parent'),
    depth: Math.max(...trees.map(depthOf)),
  };
}

/** From a tensor [B, V] of parent vertex ids, -1 at the root. @throws {Error} when they are no trees */
export function treesOfParentIds(parentIds: CaseTensor): BatchOfTrees {
  return batchOfTrees(rows(parentIds).map(treeOfParentIds));
}

/** One result of a function of each batch item, end to end. */
export function concatenated(parts: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Compares a file's values with the float64 oracle's: a case that contradicts itself tells nothing of a backend.
 * @param relative of each value; @param absolute of all.
 * @returns what is wrong, or undefined.
 */
export function contradiction(
  name: string,
  file: ArrayLike<number>,
  oracle: ArrayLike<number>,
  { relative, absolute }: { relative: number; absolute: number },
): string | undefined {
  if (file.length !== oracle.length) return `${name} has ${file.length} values, wanted ${oracle.length}`;
  for (let i = 0; i < file.length; i++) {
    if (file[i] === oracle[i] || (Number.isNaN(file[i]) && Number.isNaN(oracle[i]))) continue;
    const allowed = relative * Math.abs(oracle[i]) + absolute;
    if (!(Math.abs(file[i] - oracle[i]) <= allowed)) {
      return `the file contradicts the float64 oracle: ${name}[${i}] is ${file[i]}, wanted ${oracle[i]}`;
    }
  }
  return undefined;
}

/** A float64 value that was stored as float32. */
export function storedAsFloat32(scale: number) {
  return { relative: 2 ** -23, absolute: 1e-9 * scale };
}

/** The pairs of vertex ids of some edges, each smaller id first, as a set of keys. */
export function edgeKeys(pairs: ArrayLike<number>): Set<string> {
  const keys = new Set<string>();
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    keys.add(`${Math.min(pairs[i], pairs[i + 1])}-${Math.max(pairs[i], pairs[i + 1])}`);
  }
  return keys;
}

/** Whether two lists of edges hold the same ones. */
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

/** Edges of the grid, as the op gridGraph lists them: all vertical pairs, then all horizontal ones. */
export function gridEdges(height: number, width: number): CaseTensor {
  const pairs: number[] = [];
  for (let v = 0; v + width < height * width; v++) pairs.push(v, v + width);
  for (let v = 0; v < height * width; v++) if (v % width !== width - 1) pairs.push(v, v + 1);
  return int32([pairs.length / 2, 2], pairs);
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

/** @throws {LayoutError} unless the tensors, by name, have one shape */
export function checkSameShape(path: string, tensors: Readonly<Record<string, CaseTensor>>): void {
  const [[first, { shape }], ...rest] = Object.entries(tensors);
  for (const [name, other] of rest) {
    if (other.shape.join() === shape.join()) continue;
    throw new LayoutError(`${path}: ${name} has the shape [${other.shape}], expected [${shape}] as ${first}`);
  }
}
