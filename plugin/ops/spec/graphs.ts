/** Graphs and trees of shapes that are prone to errors in kernels. */

import type { Random } from './random.js';
import { type RootedTree, rootTree } from './rooted_tree.js';

/** Parents of trees with V vertices, as one entry per vertex. */
export const TREE_SHAPES: Readonly<Record<string, (numVertices: number, random: Random) => number[]>> = {
  path: (n) => attach(n, (v) => v - 1),
  star: (n) => attach(n, () => 0),
  comb: (n) => attach(n, (v) => (v % 2 === 1 ? Math.max(0, v - 1) : v - 2)),
  binary: (n) => attach(n, (v) => (v - 1) >> 1),
  broom: (n) => attach(n, (v) => Math.min(v - 1, n >> 1)),
  random: (n, random) => attach(n, (v) => random.integer(0, v - 1)),
};

function attach(numVertices: number, parent: (v: number) => number): number[] {
  const pairs: number[] = [];
  for (let v = 1; v < numVertices; v++) pairs.push(parent(v), v);
  return pairs;
}

/** Returns a tree of a shape with its vertices randomly renamed, from a random root. */
export function shuffledTree(shape: string, numVertices: number, random: Random): RootedTree {
  const names = permutation(numVertices, random);
  const pairs = TREE_SHAPES[shape](numVertices, random).map((v) => names[v]);
  return rootTree(pairs, numVertices, random.integer(0, numVertices - 1));
}

/** Returns the same tree in a random vertex order with parents before their children. */
export function reordered({ order, parent }: RootedTree, random: Random): RootedTree {
  const positions = [0];
  const ready = childrenOf(parent, 0);
  while (ready.length > 0) {
    const [next] = ready.splice(random.integer(0, ready.length - 1), 1);
    positions.push(next);
    ready.push(...childrenOf(parent, next));
  }
  return {
    order: Int32Array.from(positions, (position) => order[position]),
    parent: Int32Array.from(positions, (position) => positions.indexOf(parent[position])),
  };
}

function childrenOf(parent: ArrayLike<number>, position: number): number[] {
  return Array.from(parent, (p, child) => (child > 0 && p === position ? child : -1)).filter(
    (child) => child > 0,
  );
}

export function permutation(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Edges of a connected graph, in random order: a random tree, and `more` pairs that may be duplicates or self-loops. */
export function connectedGraph(numVertices: number, more: number, random: Random): number[] {
  const tree = TREE_SHAPES.random(numVertices, random);
  const pairs: [number, number][] = [];
  for (let i = 0; i < tree.length; i += 2) pairs.push([tree[i], tree[i + 1]]);
  for (let i = 0; i < more; i++) {
    pairs.push([random.integer(0, numVertices - 1), random.integer(0, numVertices - 1)]);
  }
  const names = permutation(numVertices, random);
  return permutation(pairs.length, random).flatMap((i) => {
    const [u, v] = pairs[i];
    return random.next() < 0.5 ? [names[u], names[v]] : [names[v], names[u]];
  });
}

/** Edges of the grid, as gridGraph lists them: all vertical pairs, then all horizontal ones. */
export function gridEdges(height: number, width: number): number[] {
  const pairs: number[] = [];
  for (let v = 0; v + width < height * width; v++) pairs.push(v, v + width);
  for (let v = 0; v < height * width; v++) if (v % width !== width - 1) pairs.push(v, v + 1);
  return pairs;
}
