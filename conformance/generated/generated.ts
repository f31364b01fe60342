/** Seeded cases: the shapes and values on which kernels go wrong. The same seed gives the same cases everywhere. */
import type { ConformanceCase } from '../case.js';
import { float32, int32 } from '../case.js';
import { edgeWeightsCase } from '../cases/edge_weights_file.js';
import { mstCase } from '../cases/mst_file.js';
import { batchOfTrees, gridEdges } from '../cases/tree_cases.js';
import { treeScanCases } from '../cases/tree_scan_file.js';
import type { Metric } from '../oracles/edge_dissimilarity.js';
import { fusedCases } from './fused.js';
import { connectedGraph, shuffledTree, TREE_SHAPES } from './graphs.js';
import { languageCases } from './language.js';
import { Random } from './random.js';
import { DEFAULT_SEED } from './seed.js';

/** @param seed any integer; a report names it. */
export function generatedCases(seed: number = DEFAULT_SEED): ConformanceCase[] {
  return [
    ...trees(seed),
    ...scans(seed),
    ...weights(seed),
    ...fusedCases(seed),
    ...languageCases(seed),
    ...grids(),
  ];
}

/** How the weights of a graph are drawn. */
const WEIGHTS: Readonly<Record<string, (random: Random) => number>> = {
  distinct: (random) => random.normal(),
  equal: () => 0.5,
  'few values': (random) => random.pick([0.25, 0.5, 0.75, 1]),
  'signed zeros': (random) => random.pick([0, -0, 1, -1]),
  denormal: (random) => random.integer(-3, 3) * 2 ** -149,
  huge: (random) => random.pick([3.4e38, -3.4e38, 3.3e38, 1e38]),
  neighbours: (random) => 1 + random.integer(0, 3) * 2 ** -23,
  'not finite': (random) =>
    random.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1, -0]),
};

function trees(seed: number): ConformanceCase[] {
  const cases: ConformanceCase[] = [];
  for (const [stream, [kind, draw]] of Object.entries(WEIGHTS).entries()) {
    const random = new Random(seed, stream);
    const grid = { height: random.integer(3, 9), width: random.integer(3, 9) };
    const numVertices = random.integer(20, 60);
    const graphs = [
      {
        shape: 'grid',
        numVertices: grid.height * grid.width,
        edges: [...gridEdges(grid.height, grid.width).values],
      },
      { shape: 'graph', numVertices, edges: connectedGraph(numVertices, 3 * numVertices, random) },
      { shape: 'tree', numVertices, edges: connectedGraph(numVertices, 0, random) },
    ];
    for (const { shape, numVertices, edges } of graphs) {
      const [batch, numEdges] = [random.integer(1, 3), edges.length / 2];
      cases.push(
        mstCase({
          name: `generated ${shape}, ${kind} weights`,
          weights: float32(
            [batch, numEdges],
            random.floats(batch * numEdges, () => draw(random)),
          ),
          edges: int32([numEdges, 2], edges),
          numVertices,
          root: random.integer(0, numVertices - 1),
        }),
      );
    }
  }
  const single = { edges: int32([0, 2], []), numVertices: 1 };
  cases.push(mstCase({ name: 'generated V = 1', weights: float32([2, 0], []), ...single }));
  const loops = { edges: int32([2, 2], [0, 0, 0, 0]), numVertices: 1 };
  cases.push(mstCase({ name: 'generated V = 1, loops', weights: float32([1, 2], [1, 0]), ...loops }));
  return cases;
}

/** How decays are drawn. */
const DECAYS: Readonly<Record<string, (random: Random) => number>> = {
  usual: (random) => random.next(),
  zero: () => 0,
  one: () => 1,
  'just under one': () => 1 - 2 ** -24,
  'zero and one': (random) => random.integer(0, 1),
  negative: (random) => 2 * random.next() - 1,
};

/** How values are drawn. */
const VALUES: Readonly<Record<string, (random: Random) => number>> = {
  usual: (random) => random.normal(),
  huge: (random) => random.normal() * 1e30,
  denormal: (random) => random.integer(-99, 99) * 2 ** -149,
  NaN: (random) => (random.next() < 0.02 ? Number.NaN : random.normal()),
  infinite: (random) =>
    random.next() < 0.02 ? random.pick([1, -1]) * Number.POSITIVE_INFINITY : random.normal(),
};

/** Channel counts around the widths of SIMD registers and of texels. */
const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33];

function scans(seed: number): ConformanceCase[] {
  const cases: ConformanceCase[] = [];
  const random = new Random(seed, 100);
  const shapes = Object.keys(TREE_SHAPES);
  const decays = Object.keys(DECAYS);
  for (const [i, shape] of [...shapes, ...shapes].entries()) {
    for (const aggregate of ['all', 'root'] as const) {
      const decay =
        decays[(i + (aggregate === 'root' ? 3 : 0) + Math.floor(i / shapes.length)) % decays.length];
      const value = i % 4 === 2 ? 'huge' : i % 4 === 3 ? 'denormal' : 'usual';
      cases.push(...scanCase(shape, decay, value, aggregate, random));
    }
  }
  for (const aggregate of ['all', 'root'] as const) {
    cases.push(...scanCase('path', 'usual', 'usual', aggregate, random, 1));
    cases.push(...scanCase('path', 'usual', 'usual', aggregate, random, 2));
    cases.push(...scanCase('random', 'usual', 'usual', aggregate, random, 300));
    cases.push(...scanCase('random', 'usual', 'NaN', aggregate, random));
  }
  // In the mode `all` the second pass takes out what came from below, and infinity less infinity is NaN.
  cases.push(...scanCase('binary', 'usual', 'infinite', 'root', random));
  return cases;
}

function scanCase(
  shape: string,
  decay: string,
  value: string,
  aggregate: 'all' | 'root',
  random: Random,
  vertices?: number,
): ConformanceCase[] {
  const numVertices = vertices ?? random.integer(5, 48);
  const [batch, channels] = [random.integer(1, 3), random.pick(CHANNELS)];
  const dims = [batch, numVertices, channels];
  const tensor = (draw: (random: Random) => number) =>
    float32(
      dims,
      random.floats(batch * numVertices * channels, () => draw(random)),
    );
  const trees = Array.from({ length: batch }, () => shuffledTree(shape, numVertices, random));
  return treeScanCases({
    name: `generated ${shape}, V = ${numVertices}, D = ${channels}, ${aggregate}, decay ${decay}, x ${value}`,
    x: tensor(VALUES[value]),
    decay: tensor(DECAYS[decay]),
    trees: batchOfTrees(trees),
    aggregate,
    dy: tensor(VALUES.usual),
    notFinite: value === 'NaN' || value === 'infinite',
  });
}

function grids(): ConformanceCase[] {
  return [
    [1, 1],
    [1, 6],
    [6, 1],
    [4, 5],
  ].map(([height, width]) => ({
    kind: 'op',
    name: `generated ${height} x ${width}`,
    op: 'GridGraph',
    inputs: { x: float32([1, height, width, 2], new Float32Array(2 * height * width)) },
    references: [{ of: 'edges', from: 'definition', tensor: gridEdges(height, width) }],
  }));
}

function weights(seed: number): ConformanceCase[] {
  const random = new Random(seed, 200);
  const kinds: Readonly<Record<string, () => number>> = {
    usual: () => random.normal(),
    tiny: () => random.normal() * 1e-12,
    large: () => random.normal() * 1e12,
    'mostly zero': () => (random.next() < 0.8 ? 0 : random.normal()),
  };
  return Object.entries(kinds).flatMap(([kind, draw]) =>
    (['cosine', 'euclidean', 'manhattan'] as Metric[]).map((metric) => {
      const [batch, numVertices, channels] = [
        random.integer(1, 3),
        random.integer(4, 30),
        random.pick(CHANNELS),
      ];
      const edges = connectedGraph(numVertices, numVertices, random);
      return edgeWeightsCase({
        name: `generated D = ${channels}, ${kind} features, ${metric}`,
        features: float32(
          [batch, numVertices, channels],
          random.floats(batch * numVertices * channels, draw),
        ),
        edges: int32([edges.length / 2, 2], edges),
        metric,
      });
    }),
  );
}
