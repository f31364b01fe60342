import { BottleneckFilter } from './bottleneck_filter.js';
import { SINGLE_OP } from './spec/bound.js';
import { after, always, changed, computing, firstItem, mapped } from './spec/faults.js';
import { reordered, shuffledTree, TREE_SHAPES } from './spec/graphs.js';
import type { Random } from './spec/random.js';
import { batchOfTrees, type RootedTree, treesOf } from './spec/rooted_tree.js';
import {
  defineSpec,
  type FormulaArguments,
  itemOf,
  overBatch,
  type Sample,
  type Values,
} from './spec/spec.js';
import { perfTree } from './tree_scan.spec.js';

type Along = (distances: readonly number[]) => number;
const largest: Along = (distances) => Math.max(...distances);

export const bottleneckFilterSpec = defineSpec(BottleneckFilter, {
  formula: (args) => ({ y: means(args, largest) }),
  differentiable: [],
  // A mean is bounded by its values and has similar rounding: sums with positive weights, a product and a quotient.
  tolerance: (tolerance, { inputs: { x } }) => ({
    absolute: SINGLE_OP[tolerance] * Array.from(x.values, Math.abs).reduce((a, b) => Math.max(a, b), 0),
    relative: 0,
    reason:
      'a quotient of sums in float64; exp of a rounded quotient. Absolute: times the largest absolute value of x',
  }),
  batchInvariant: true,
  samples,
  faults: {
    'distances along a path are added': computing((args) => ({
      y: means(args, (distances) => distances.reduce((sum, d) => sum + d, 0)),
    })),
    'the shortest edge decides': computing((args) => ({
      y: means(args, (distances) => Math.min(...distances)),
    })),
    'a vertex is not among its neighbours': computing((args) => ({ y: means(args, largest, 0) })),
    'zeta is not squared': computing((args) => ({
      y: means({ ...args, attributes: { zeta: Math.sqrt(args.attributes.zeta as number) } }, largest),
    })),
    'zeta is always 1': always({ zeta: 1 }),
    'the sums are not divided': changed('y', (y, _, { shapes }) => y * shapes.x[1]),
    'the distance of the next vertex is used': mapped(
      'distance',
      (_, i, { inputs: { distance } }) => distance[(i + 1) % distance.length],
    ),
    'the root’s distance is used': after(({ inputs: { order, distance }, outputs: { y }, shapes: { x } }) => {
      const [batch, numVertices, channels] = x;
      for (let b = 0; b < batch; b++) {
        const root = b * numVertices + order[b * numVertices];
        for (let d = 0; d < channels; d++) y[root * channels + d] *= 1 + distance[root];
      }
    }),
    'the last channel is missing': mapped('x', (value, i, { shapes }) =>
      (i + 1) % shapes.x[2] === 0 ? 0 : value,
    ),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
    'every item of a batch has the first one’s distances': firstItem('distance'),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const [order, parent] = perfTree(side, random);
      const distance = random.tensor([1, side * side], () => random.next());
      return {
        inputs: { x: random.tensor([1, side * side, channels]), distance, order, parent },
        attributes: { zeta: 0.5 },
      };
    },
  },
});

function samples(random: Random): Sample[] {
  const distances: Readonly<Record<string, () => number>> = {
    usual: () => random.next(),
    'few values': () => random.pick([0, 0.25, 1]),
    zero: () => 0,
    far: () => random.pick([0, 100, 1e30, Number.MAX_VALUE]),
  };
  const sample = (
    what: string,
    trees: readonly RootedTree[],
    draw: () => number,
    channels: number,
  ): Sample => {
    const { order, parent } = batchOfTrees(trees);
    return {
      what: `${what}, D = ${channels}`,
      inputs: {
        x: random.tensor([...order.shape, channels]),
        distance: random.tensor(order.shape, draw),
        order,
        parent,
      },
      attributes: { zeta: random.pick([0.1, 0.5, 2]) },
    };
  };
  const drawn = Object.keys(TREE_SHAPES).flatMap((shape) =>
    Object.entries(distances).map(([kind, draw]) => {
      const numVertices = random.integer(2, 40);
      const trees = [0, 1].map(() => shuffledTree(shape, numVertices, random));
      return sample(`${shape}, ${kind} distances`, trees, draw, random.pick([1, 2, 3, 8, 9]));
    }),
  );
  const single = sample('V = 1', [shuffledTree('path', 1, random)], distances.usual, 3);
  const trees = [0, 1].map(() => reordered(shuffledTree('random', 30, random), random));
  return [...drawn, single, sample('not breadth-first', trees, distances.usual, 4)];
}

/** Computes every pair of vertices separately, by the definition. */
function means(
  { inputs: { x, distance, order, parent }, shapes, attributes }: FormulaArguments,
  along: Along,
  ofItself = 1,
): Float64Array {
  const [batch, , channels] = shapes.x;
  const zeta = attributes.zeta as number;
  const trees = treesOf({ order, parent }, shapes.order);
  return overBatch(batch, ['y'], (b) => ({
    y: meansOfTree(itemOf(x, batch, b), channels, trees[b].order.length, (u, v) => {
      const path = pathBetween(trees[b], u, v).map((vertex) => itemOf(distance, batch, b)[vertex]);
      return path.length === 0 ? ofItself : Math.exp(-along(path) / zeta ** 2);
    }),
  })).y;
}

function meansOfTree(
  x: Values,
  channels: number,
  numVertices: number,
  affinity: (u: number, v: number) => number,
): Float64Array {
  const y = new Float64Array(numVertices * channels);
  for (let v = 0; v < numVertices; v++) {
    let total = 0;
    for (let u = 0; u < numVertices; u++) {
      const weight = affinity(u, v);
      total += weight;
      for (let d = 0; d < channels; d++) y[v * channels + d] += weight * x[u * channels + d];
    }
    for (let d = 0; d < channels; d++) y[v * channels + d] /= total;
  }
  return y;
}

/** Returns the child ends of the edges between two vertices. */
function pathBetween({ order, parent }: RootedTree, u: number, v: number): number[] {
  let [a, b] = [u, v].map((vertex) => order.indexOf(vertex));
  const path: number[] = [];
  // Parents come before their children.
  while (a !== b) {
    if (a < b) [a, b] = [b, a];
    path.push(order[a]);
    a = parent[a];
  }
  return path;
}
