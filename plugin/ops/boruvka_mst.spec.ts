import { BoruvkaMST } from './boruvka_mst.js';
import { after, always, computing, firstItem, flushed, mapped, roundedToFloat16 } from './spec/faults.js';
import { connectedGraph, gridEdges, permutation, TREE_SHAPES } from './spec/graphs.js';
import { kruskal } from './spec/kruskal.js';
import type { Random } from './spec/random.js';
import { rootTree } from './spec/rooted_tree.js';
import {
  defineSpec,
  itemOf,
  type KernelArguments,
  type NamedValues,
  overBatch,
  type Sample,
  type Values,
} from './spec/spec.js';
import { int32 } from './spec/tensor.js';

export const boruvkaMSTSpec = defineSpec(BoruvkaMST, {
  formula: ({ inputs: { weights, edges }, shapes, attributes: { numVertices, root } }) => {
    const [batch] = shapes.weights;
    return chosenTrees(edges, { batch, numVertices, root }, (item) =>
      kruskal(itemOf(weights, batch, item), edges, numVertices),
    );
  },
  differentiable: [],
  batchInvariant: true,
  samples,
  faults: {
    'the parent of the last vertex is the root': after(({ outputs: { parent } }) => {
      parent[parent.length - 1] = 0;
    }),
    'parents are vertex ids, not positions': after(({ outputs: { order, parent }, attributes }) => {
      const numVertices = attributes.numVertices as number;
      const positions = parent.slice();
      positions.forEach((position, i) => {
        parent[i] = order[i - (i % numVertices) + position];
      });
    }),
    'ties go to the higher edge index': choosing((weights, edges, numVertices) => {
      const last = weights.length - 1;
      const reversed = Int32Array.from(edges, (_, i) => edges[2 * (last - (i >> 1)) + (i & 1)]);
      return kruskal(Float32Array.from(weights).reverse(), reversed, numVertices)
        .map((e) => last - e)
        .sort();
    }),
    'NaN comes before every number': mapped('weights', (w) => (Number.isNaN(w) ? -Infinity : w)),
    '-0 comes before +0': mapped('weights', (w) => (Object.is(w, -0) ? -(2 ** -149) : w)),
    'weights are rounded to float16': roundedToFloat16('weights'),
    'denormal weights become 0': flushed('weights'),
    'the largest weights are taken': mapped('weights', (w) => -w),
    'weights are compared as integers': mapped(
      'weights',
      (w) => new Uint32Array(Float32Array.of(w).buffer)[0],
    ),
    'the root is always vertex 0': always({ root: 0 }),
    'chosen edges are not sorted': after(({ outputs: { edgeIndex }, attributes }) => {
      const size = (attributes.numVertices as number) - 1;
      for (let at = 0; at < edgeIndex.length; at += size) edgeIndex.subarray(at, at + size).reverse();
    }),
    'every item of a batch has the first one’s weights': firstItem('weights'),
    'the order is depth first': after(depthFirst),
  },
  perf: {
    samples: 16,
    sample: ({ side }, random) => {
      const edges = gridEdges(side, side);
      return {
        inputs: {
          weights: random.tensor([1, edges.length / 2]),
          edges: int32([edges.length / 2, 2], edges),
        },
        attributes: { numVertices: side * side },
      };
    },
  },
});

/** Distributions of edge weights. */
const WEIGHTS: Readonly<Record<string, (random: Random, edge: number) => number>> = {
  distinct: (random) => random.normal(),
  equal: () => 0.5,
  // The merged components are chains.
  ascending: (_, edge) => edge,
  'few values': (random) => random.pick([0.25, 0.5, 0.75, 1]),
  'signed zeros': (random) => random.pick([0, -0, 1, -1]),
  denormal: (random) => random.integer(-3, 3) * 2 ** -149,
  huge: (random) => random.pick([3.4e38, -3.4e38, 3.3e38, 1e38]),
  neighbours: (random) => 1 + random.integer(0, 3) * 2 ** -23,
  'not finite': (random) =>
    random.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1, -0]),
};

function samples(random: Random): Sample[] {
  const all: Sample[] = [];
  for (const [kind, draw] of Object.entries(WEIGHTS)) {
    const grid = { height: random.integer(3, 9), width: random.integer(3, 9) };
    const numVertices = random.integer(20, 60);
    const graphs: readonly [string, number, number[]][] = [
      ['grid', grid.height * grid.width, gridEdges(grid.height, grid.width)],
      ['graph', numVertices, connectedGraph(numVertices, 3 * numVertices, random)],
      ['tree', numVertices, connectedGraph(numVertices, 0, random)],
    ];
    for (const [shape, numVertices, edges] of graphs) {
      all.push({
        what: `${shape}, ${kind} weights`,
        inputs: graphInputs(random, random.integer(1, 3), edges, draw),
        attributes: { numVertices, root: random.integer(0, numVertices - 1) },
      });
    }
  }
  for (const [shape, numVertices] of [
    ['path', 300],
    ['star', 300],
    ['comb', 301],
  ] as const) {
    // The vertex ids of neighbours are far apart.
    const names = permutation(numVertices, random);
    const edges = TREE_SHAPES[shape](numVertices, random).map((v) => names[v]);
    all.push({
      what: `a ${shape} of ${numVertices}`,
      inputs: graphInputs(random, 1, edges, WEIGHTS.distinct),
      attributes: { numVertices, root: numVertices >> 1 },
    });
  }
  const single = (what: string, batch: number, edges: number[]) => ({
    what: `V = 1${what}`,
    inputs: graphInputs(random, batch, edges, WEIGHTS.distinct),
    attributes: { numVertices: 1 },
  });
  return [
    ...all,
    single('', 2, []),
    single(', a batch of none', 0, []),
    single(', loops', 1, [0, 0, 0, 0]),
    {
      what: 'a batch of none',
      inputs: graphInputs(random, 0, gridEdges(2, 2), WEIGHTS.distinct),
      attributes: { numVertices: 4 },
    },
  ];
}

function graphInputs(
  random: Random,
  batch: number,
  edges: readonly number[],
  draw: (random: Random, edge: number) => number,
): Sample['inputs'] {
  const numEdges = edges.length / 2;
  let edge = 0;
  return {
    weights: random.tensor([batch, numEdges], () => draw(random, edge++ % numEdges)),
    edges: int32([numEdges, 2], edges),
  };
}

/** Returns the outputs of an op that chooses the edges of a tree for every item of a batch. */
export function chosenTrees(
  edges: Values,
  {
    batch,
    numVertices,
    root,
  }: { readonly batch: number; readonly numVertices: number; readonly root: number },
  choose: (item: number) => ArrayLike<number>,
) {
  return overBatch(batch, ['edgeIndex', 'order', 'parent'], (item) => {
    const edgeIndex = choose(item);
    const pairs = Array.from(edgeIndex).flatMap((e) => [edges[2 * e], edges[2 * e + 1]]);
    return { edgeIndex, ...rootTree(pairs, numVertices, root) };
  });
}

function choosing(choose: typeof kruskal) {
  return computing(({ inputs: { weights, edges }, shapes, attributes }): NamedValues => {
    const { numVertices, root } = attributes as Record<string, number>;
    const [batch] = shapes.weights;
    return chosenTrees(edges, { batch, numVertices, root }, (item) =>
      choose(itemOf(weights, batch, item), edges, numVertices),
    );
  });
}

/** Puts the vertices of every tree in depth-first order. */
function depthFirst({ outputs: { order, parent }, attributes }: KernelArguments): void {
  const numVertices = attributes.numVertices as number;
  for (let b = 0; b < order.length; b += numVertices) {
    const [ids, parents] = [order, parent].map((values) => values.slice(b, b + numVertices));
    let next = 0;
    const visit = (position: number, above: number) => {
      const at = next++;
      order[b + at] = ids[position];
      parent[b + at] = above;
      parents.forEach((p, child) => {
        if (child > 0 && p === position) visit(child, at);
      });
    };
    visit(0, 0);
  }
}
