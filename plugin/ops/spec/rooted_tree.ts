/** Rooted trees in the form of the ops: breadth-first order, and the position of each vertex's parent. */
import { type CaseTensor, int32, itemsOf } from './tensor.js';

export interface RootedTree {
  /** Vertex ids in breadth-first order, neighbours ascending. */
  readonly order: Int32Array;
  /** parent[i] is the position in `order` of the parent of order[i]; parent[0] = 0. */
  readonly parent: Int32Array;
}

/**
 * Returns the tree of the edges `pairs` (u0, v0, u1, v1, ...) rooted at `root`.
 * @throws {Error} if they do not form a tree.
 */
export function rootTree(pairs: ArrayLike<number>, numVertices: number, root = 0): RootedTree {
  const neighbours = Array.from({ length: numVertices }, () => [] as number[]);
  for (let i = 0; i < pairs.length; i += 2) {
    neighbours[pairs[i]].push(pairs[i + 1]);
    neighbours[pairs[i + 1]].push(pairs[i]);
  }
  const order = [root];
  const parent = [0];
  const seen = new Uint8Array(numVertices);
  seen[root] = 1;
  for (let i = 0; i < order.length; i++) {
    for (const next of neighbours[order[i]].sort((a, b) => a - b)) {
      if (seen[next]) continue;
      seen[next] = 1;
      order.push(next);
      parent.push(i);
    }
  }
  if (order.length !== numVertices || pairs.length !== 2 * (numVertices - 1)) {
    throw new Error(
      `${pairs.length / 2} edges that reach ${order.length} of ${numVertices} vertices: no tree`,
    );
  }
  return { order: Int32Array.from(order), parent: Int32Array.from(parent) };
}

/**
 * Returns the tree in which parentIds[v] is the parent's vertex id, -1 for the root.
 * @throws {Error} if they do not form a tree.
 */
export function treeOfParentIds(parentIds: ArrayLike<number>): RootedTree {
  const root = Array.from(parentIds).indexOf(-1);
  const pairs: number[] = [];
  for (let v = 0; v < parentIds.length; v++) if (v !== root) pairs.push(v, parentIds[v]);
  if (root < 0 || pairs.some((id) => !(id >= 0 && id < parentIds.length))) {
    throw new Error('the parents of the case are not a tree');
  }
  return rootTree(pairs, parentIds.length, root);
}

/** Parent vertex ids by vertex id, -1 at the root. */
export function parentIdsOf({ order, parent }: RootedTree): Int32Array {
  const ids = new Int32Array(order.length).fill(-1);
  for (let i = 1; i < order.length; i++) ids[order[i]] = order[parent[i]];
  return ids;
}

/** Returns the number of edges between the root and the furthest vertex. */
export function depthOf({ parent }: Pick<RootedTree, 'parent'>): number {
  const depth = new Int32Array(parent.length);
  let deepest = 0;
  for (let i = 1; i < parent.length; i++) {
    depth[i] = depth[parent[i]] + 1;
    if (depth[i] > deepest) deepest = depth[i];
  }
  return deepest;
}

/** The trees of a batch in the form of the ops. */
export interface BatchOfTrees {
  readonly trees: readonly RootedTree[];
  /** [B, V] int32 both. */
  readonly order: CaseTensor;
  readonly parent: CaseTensor;
}

/** @throws {Error} without a tree: an empty batch has no number of vertices. */
export function batchOfTrees(trees: readonly RootedTree[]): BatchOfTrees {
  if (trees.length === 0) throw new Error('the batch is empty: there is nothing to compare');
  const shape = [trees.length, trees[0].order.length];
  const flatten = (part: 'order' | 'parent') =>
    int32(
      shape,
      trees.flatMap((tree) => Array.from(tree[part])),
    );
  return { trees, order: flatten('order'), parent: flatten('parent') };
}

/** Returns the largest depth of trees with parents [B, V]. */
export function depthOfBatch(parent: CaseTensor): number {
  let depth = depths.get(parent);
  if (depth === undefined) {
    depth = Math.max(0, ...itemsOf(parent).map((row) => depthOf({ parent: row as Int32Array })));
    depths.set(parent, depth);
  }
  return depth;
}

const depths = new WeakMap<CaseTensor, number>();

/** Returns the trees of a batch from the values of `order` and `parent`, both [B, V]. */
export function treesOf(
  { order, parent }: { readonly order: ArrayLike<number>; readonly parent: ArrayLike<number> },
  [batch, numVertices]: readonly number[],
): RootedTree[] {
  const row = (values: ArrayLike<number>, b: number) =>
    (values as Int32Array).subarray(b * numVertices, (b + 1) * numVertices);
  return Array.from({ length: batch }, (_, b) => ({ order: row(order, b), parent: row(parent, b) }));
}
