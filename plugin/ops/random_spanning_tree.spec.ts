import { chosenTrees } from './boruvka_mst.spec.js';
import { RandomSpanningTree } from './random_spanning_tree.js';
import { after, always, computing, firstItem, mapped } from './spec/faults.js';
import { connectedGraph, gridEdges } from './spec/graphs.js';
import type { Random } from './spec/random.js';
import {
  defineSpec,
  type Fault,
  type FormulaArguments,
  itemOf,
  type Sample,
  type Values,
} from './spec/spec.js';
import { int32 } from './spec/tensor.js';

export const randomSpanningTreeSpec = defineSpec(RandomSpanningTree, {
  formula: (args) => trees(args, uniform),
  differentiable: [],
  samples,
  faults: {
    'the seed is not used': always({ seed: 0 }),
    'all items of a batch have the same draws': drawing((seed, _, round, slot) =>
      uniform(seed, 0, round, slot),
    ),
    'all rounds have the same draws': drawing((seed, item, _, slot) => uniform(seed, item, 0, slot)),
    'both ends of an edge have one draw': drawing((seed, item, round, slot) =>
      uniform(seed, item, round, slot - (slot % 2)),
    ),
    'draws are the lower bits of the hash': drawing((...of) => (hash(...of) % 2 ** 24) / 2 ** 24),
    'large similarities are avoided': mapped('similarity', (s) => 1 / s),
    'the shares are not those of similarities': mapped('similarity', (s) => s * s),
    'components are visited from the last': computing((args) => trees(args, uniform, -1)),
    'the root is always vertex 0': always({ root: 0 }),
    'chosen edges are not sorted': after(({ outputs: { edgeIndex }, attributes }) => {
      const size = (attributes.numVertices as number) - 1;
      for (let at = 0; at < edgeIndex.length; at += size) edgeIndex.subarray(at, at + size).reverse();
    }),
    'every item of a batch has the first one’s similarities': firstItem('similarity'),
  },
  perf: {
    sample: ({ side }, random) => {
      const edges = gridEdges(side, side);
      return {
        inputs: {
          similarity: random.tensor([1, edges.length / 2], () => random.next()),
          edges: int32([edges.length / 2, 2], edges),
        },
        attributes: { numVertices: side * side, seed: 1 },
      };
    },
  },
});

function samples(random: Random): Sample[] {
  const similarities: Readonly<Record<string, () => number>> = {
    random: () => random.next(),
    equal: () => 1,
    'few values': () => random.pick([0, 0.25, 1]),
    extreme: () => random.pick([0, 1e-38, 1e-6, 1, 3e38]),
    zero: () => 0,
  };
  const drawn = Object.entries(similarities).flatMap(([kind, draw]) => {
    const [height, width, numVertices] = [random.integer(3, 7), random.integer(3, 7), random.integer(20, 40)];
    const graphs: readonly [string, number, number[]][] = [
      ['grid', height * width, gridEdges(height, width)],
      ['graph', numVertices, connectedGraph(numVertices, 2 * numVertices, random)],
    ];
    return graphs.map(([shape, numVertices, edges]): Sample => {
      const numEdges = edges.length / 2;
      return {
        what: `${shape}, ${kind} similarities`,
        inputs: {
          similarity: random.tensor([random.integer(2, 4), numEdges], draw),
          edges: int32([numEdges, 2], edges),
        },
        attributes: {
          numVertices,
          root: random.integer(0, numVertices - 1),
          seed: random.pick([1, -1, 7, 2 ** 31 - 1, 2 ** 32 - 1, 123456789]),
        },
      };
    });
  });
  const single = { similarity: random.tensor([2, 0]), edges: int32([0, 2], []) };
  const edges = gridEdges(5, 5);
  const numEdges = edges.length / 2;
  return [
    ...drawn,
    { what: 'V = 1', inputs: single, attributes: { numVertices: 1 } },
    {
      what: 'a seed of more than 32 bits',
      inputs: {
        similarity: random.tensor([2, numEdges], () => random.next()),
        edges: int32([numEdges, 2], edges),
      },
      attributes: { numVertices: 25, seed: Number.MAX_SAFE_INTEGER - 1 },
    },
  ];
}

type Uniform = (seed: number, item: number, round: number, slot: number) => number;

function drawing(draw: Uniform): Fault {
  return computing((args) => trees(args, draw));
}

function trees(
  { inputs: { similarity, edges }, shapes, attributes }: FormulaArguments,
  draw: Uniform,
  direction?: 1 | -1,
) {
  const { numVertices, root, seed } = attributes as Record<string, number>;
  const [batch] = shapes.similarity;
  return chosenTrees(edges, { batch, numVertices, root }, (item) =>
    randomTree(
      itemOf(similarity, batch, item),
      edges,
      numVertices,
      (round, slot) => draw(seed, item, round, slot),
      direction,
    ),
  );
}

/** The bits of a draw, in arbitrary-precision arithmetic. */
function hash(seed: number, item: number, round: number, slot: number): number {
  const bits = (value: bigint) => BigInt.asUintN(32, value);
  const mix = (value: bigint) => {
    let x = bits(value);
    x = bits((x ^ (x >> 16n)) * 0x21f0aaadn);
    x = bits((x ^ (x >> 15n)) * 0x735a2d97n);
    return x ^ (x >> 15n);
  };
  const first = mix(BigInt(seed) + 0x9e3779b9n);
  return Number(
    [BigInt(item) + 0x85ebca6bn, BigInt(round) + 0xc2b2ae35n, BigInt(slot) + 0x27d4eb2fn].reduce(
      (h, value) => mix(h ^ bits(value)),
      first,
    ),
  );
}

/** The draw of an edge: 0 <= u < 1 with 24 bits. */
export const uniform: Uniform = (...of) => Math.floor(hash(...of) / 2 ** 8) / 2 ** 24;

/**
 * Returns the chosen edges, ascending. Each vertex stores the name of its component; the component of smaller rank is
 * renamed, at equal rank that of the edge's second end.
 * @param direction in which components are visited by name: 1 or -1.
 */
function randomTree(
  similarity: Values,
  edges: Values,
  numVertices: number,
  draw: (round: number, slot: number) => number,
  direction: 1 | -1 = 1,
): number[] {
  const names = Array.from({ length: numVertices }, (_, v) => v);
  const ranks = names.map(() => 0);
  const chosen: number[] = [];
  for (let round = 0; chosen.length < numVertices - 1; round++) {
    const choices = new Map<number, number>();
    for (let e = 0; e < similarity.length; e++) {
      const [u, v] = [names[edges[2 * e]], names[edges[2 * e + 1]]];
      if (u === v) continue;
      for (const [side, component] of [u, v].entries()) {
        const a = choices.get(component) ?? e;
        const total = Math.fround(similarity[a] + similarity[e]);
        const replaces = total !== 0 && Math.fround(similarity[a] / total) < draw(round, 2 * e + side);
        choices.set(component, a === e || replaces ? e : a);
      }
    }
    const inOrder = [...choices].sort(([a], [b]) => direction * (a - b));
    for (const [, e] of inOrder) {
      const [u, v] = [names[edges[2 * e]], names[edges[2 * e + 1]]];
      if (u === v) continue;
      const [stays, goes] = ranks[u] < ranks[v] ? [v, u] : [u, v];
      if (ranks[u] === ranks[v]) ranks[stays]++;
      for (let w = 0; w < numVertices; w++) if (names[w] === goes) names[w] = stays;
      chosen.push(e);
    }
  }
  return chosen.sort((a, b) => a - b);
}
