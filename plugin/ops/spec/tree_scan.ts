/**
 * Tree scans and their gradients in float64, by message passing: each vertex sums what its subtree sends up and, separately,
 * what the rest of the tree sends down. Unlike in the kernels, nothing is ever subtracted from a sum, so nothing cancels.
 * One tree; x, decay and the results are [V, D] by vertex id.
 */
import type { RootedTree } from './rooted_tree.js';

export type Aggregate = 'all' | 'root' | 'leaves';

/** Sums x over the subtree of each vertex, and over the rest of the tree as seen from its parent. */
function messages(
  x: ArrayLike<number>,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
): { below: Float64Array; beyond: Float64Array } {
  const below = Float64Array.from(x);
  for (let i = order.length - 1; i > 0; i--) {
    const [v, p] = [order[i] * channels, order[parent[i]] * channels];
    for (let d = 0; d < channels; d++) below[p + d] += decay[v + d] * below[v + d];
  }
  const children = Array.from({ length: order.length }, () => [] as number[]);
  for (let i = 1; i < order.length; i++) children[parent[i]].push(order[i] * channels);
  const beyond = new Float64Array(x.length);
  for (let i = 0; i < order.length; i++) {
    const p = order[i] * channels;
    const siblings = children[i];
    for (let d = 0; d < channels; d++) {
      const own = x[p + d] + (i === 0 ? 0 : decay[p + d] * beyond[p + d]);
      // Sums over the siblings before and after each child, so that a star costs no more than a path.
      let before = own;
      for (const c of siblings) {
        beyond[c + d] = before;
        before += decay[c + d] * below[c + d];
      }
      let after = 0;
      for (let k = siblings.length - 1; k >= 0; k--) {
        const c = siblings[k];
        beyond[c + d] += after;
        after += decay[c + d] * below[c + d];
      }
    }
  }
  return { below, beyond };
}

/** Sums x over the ancestors of each vertex and itself. */
function fromRoot(
  x: ArrayLike<number>,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
): Float64Array {
  const y = Float64Array.from(x);
  for (let i = 1; i < order.length; i++) {
    const [v, p] = [order[i] * channels, order[parent[i]] * channels];
    for (let d = 0; d < channels; d++) y[v + d] += decay[v + d] * y[p + d];
  }
  return y;
}

/** Sums over subtrees, over the whole tree, or over ancestors. */
export function treeScan(
  x: ArrayLike<number>,
  decay: ArrayLike<number>,
  tree: RootedTree,
  channels: number,
  aggregate: Aggregate,
): Float64Array {
  if (aggregate === 'leaves') return fromRoot(x, decay, tree, channels);
  const { below, beyond } = messages(x, decay, tree, channels);
  if (aggregate === 'all') {
    for (let i = 1; i < tree.order.length; i++) {
      const v = tree.order[i] * channels;
      for (let d = 0; d < channels; d++) below[v + d] += decay[v + d] * beyond[v + d];
    }
  }
  return below;
}

/** Gradients in x and decay of the sum of dy * y: a pair of vertices contributes to an edge if its path crosses the edge. */
export function treeScanGradient(
  x: ArrayLike<number>,
  decay: ArrayLike<number>,
  dy: ArrayLike<number>,
  tree: RootedTree,
  channels: number,
  aggregate: Aggregate,
): { dx: Float64Array; ddecay: Float64Array } {
  const { order, parent } = tree;
  const ddecay = new Float64Array(x.length);
  if (aggregate !== 'all') {
    // The scans against and along the edges are transposes of each other: a decay joins the values below and above its edge.
    const y = treeScan(x, decay, tree, channels, aggregate);
    const dx = treeScan(dy, decay, tree, channels, aggregate === 'root' ? 'leaves' : 'root');
    const [below, above] = aggregate === 'root' ? [y, dx] : [dx, y];
    for (let i = 1; i < order.length; i++) {
      const [v, p] = [order[i] * channels, order[parent[i]] * channels];
      for (let d = 0; d < channels; d++) ddecay[v + d] = below[v + d] * above[p + d];
    }
    return { dx, ddecay };
  }
  const up = messages(x, decay, tree, channels);
  const down = messages(dy, decay, tree, channels);
  for (let i = 1; i < order.length; i++) {
    const v = order[i] * channels;
    for (let d = v; d < v + channels; d++) {
      ddecay[d] = up.below[d] * down.beyond[d] + up.beyond[d] * down.below[d];
    }
  }
  return { dx: treeScan(dy, decay, tree, channels, 'all'), ddecay };
}
