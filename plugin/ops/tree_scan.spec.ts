import { treeScanBound } from './spec/bound.js';
import {
  after,
  always,
  before,
  firstItem,
  flushed,
  mapped,
  roundedToFloat16,
  stale,
  uncleared,
} from './spec/faults.js';
import { gridEdges, reordered, shuffledTree, TREE_SHAPES } from './spec/graphs.js';
import { kruskal } from './spec/kruskal.js';
import type { Random } from './spec/random.js';
import { batchOfTrees, depthOfBatch, type RootedTree, rootTree, treesOf } from './spec/rooted_tree.js';
import {
  defineSpec,
  type Fault,
  type FormulaArguments,
  itemOf,
  type KernelArguments,
  overBatch,
  type Sample,
  type Values,
} from './spec/spec.js';
import { treeScan, treeScanGradient } from './spec/tree_scan.js';
import { TreeScan, TreeScanGradient } from './tree_scan.js';

export const treeScanSpec = defineSpec(TreeScan, {
  formula: (args) =>
    overTrees(args, ['y'], ({ x, decay }, tree, channels) => ({
      y: treeScan(x, decay, tree, channels, args.attributes.aggregate),
    })),
  gradient: (args, { y: dy }) => {
    const { dx, ddecay } = gradients({ ...args, inputs: { ...args.inputs, dy } });
    return { x: dx, decay: ddecay };
  },
  tolerance: (tolerance, { inputs }) => treeScanBound(depthOfBatch(inputs.parent), tolerance),
  batchInvariant: true,
  samples,
  faults: {
    'the root’s decay is used': after((args) =>
      args.outputs.y.forEach((y, i) => {
        if (isRoot(i, args)) args.outputs.y[i] = y * args.inputs.decay[i];
      }),
    ),
    'the range of children ends one too early': passes({
      counts: (i, parent) => parent[i] === parent[i - 1] || parent[i] !== parent[i + 1],
    }),
    'the last vertex is left out': passes({ counts: (i, parent) => i !== parent.length - 1 }),
    'the last channel is missing': passes({ channels: (d) => d - 1 }),
    'channels beyond a multiple of four are missing': passes({ channels: (d) => d - (d % 4) }),
    'the down pass keeps what came from the vertex itself': passes({ down: (own, w, p) => own + w * p }),
    'the down pass squares no decay': passes({ down: (own, w, p) => (1 - w) * own + w * p }),
    'the down pass is missing': always({ aggregate: 'root' }),
    'the mode is always all': always({ aggregate: 'all' }),
    'decays are rounded to float16': roundedToFloat16('decay'),
    'decays are clamped from below at 0': mapped('decay', (w) => Math.max(0, w)),
    'decays are clamped from above at 0.9999': mapped('decay', (w) => Math.min(0.9999, w)),
    'denormals become 0': flushed('x'),
    'values overflow float16': mapped('x', (x) => Math.max(-65504, Math.min(65504, x))),
    'the decay of the next vertex is used': mapped(
      'decay',
      (_, i, { inputs: { decay }, shapes }) => decay[(i + shapes.x[2]) % decay.length],
    ),
    'every item of a batch has the first one’s decays': firstItem('decay'),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
    'x is taken by position, not by vertex': mapped('x', (_, i, { inputs: { x, order }, shapes }) => {
      const [, numVertices, channels] = shapes.x;
      const row = Math.floor(i / channels);
      return x[(row - (row % numVertices) + order[row]) * channels + (i % channels)];
    }),
    'siblings are taken to be side by side': siblingsSideBySide(),
    'the output buffer of the call before is returned': stale('y'),
    'the output buffer is not cleared': uncleared('y'),
  },
  gradientKernel: {
    op: TreeScanGradient,
    formula: gradients,
    faults: {
      'the gradient of the decay has the wrong sign': after(({ outputs: { ddecay } }) =>
        ddecay.set(ddecay.map((g) => -g)),
      ),
      'the root’s decay has a gradient': after((args) =>
        args.outputs.ddecay.forEach((_, i) => {
          if (isRoot(i, args)) args.outputs.ddecay[i] = args.inputs.x[i];
        }),
      ),
      'the gradients are swapped': (correct) => (args) => {
        const { dx, ddecay } = args.outputs;
        correct({ ...args, outputs: { dx: ddecay, ddecay: dx } });
      },
      'the gradient is that of the root mode': always({ aggregate: 'root' }),
      'half of the gradient of the decay is missing': after(({ outputs: { ddecay } }) =>
        ddecay.set(ddecay.map((g) => g / 2)),
      ),
      'the gradient of x is what came in': after(({ inputs, outputs }) => outputs.dx.set(inputs.dy)),
      'dy is rounded to float16': roundedToFloat16('dy'),
    },
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const [order, parent] = perfTree(side, random);
      const shape = [1, side * side, channels];
      return {
        inputs: { x: random.tensor(shape), decay: random.tensor(shape, () => random.next()), order, parent },
      };
    },
    variants: { root: { aggregate: 'root' } },
  },
});

/** A formula of one tree, over a batch. */
function overTrees<Name extends string>(
  {
    inputs,
    shapes,
  }: { readonly inputs: FormulaArguments['inputs']; readonly shapes: FormulaArguments['shapes'] },
  outputs: readonly Name[],
  compute: (item: Record<string, Values>, tree: RootedTree, channels: number) => Record<Name, Values>,
): Record<Name, Float64Array> {
  const [batch, , channels] = shapes.x;
  const trees = treesOf({ order: inputs.order, parent: inputs.parent }, shapes.order);
  return overBatch(batch, outputs, (b) => {
    const item = Object.fromEntries(
      ['x', 'decay', 'dy'].flatMap((name) => (inputs[name] ? [[name, itemOf(inputs[name], batch, b)]] : [])),
    );
    return compute(item, trees[b], channels);
  });
}

function gradients(args: FormulaArguments): { dx: Float64Array; ddecay: Float64Array } {
  const aggregate = args.attributes.aggregate as 'all' | 'root';
  return overTrees(args, ['dx', 'ddecay'], ({ x, decay, dy }, tree, channels) =>
    treeScanGradient(x, decay, dy, tree, channels, aggregate),
  );
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
export const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33];

function samples(random: Random): Sample[] {
  const shapes = Object.keys(TREE_SHAPES);
  const decays = Object.keys(DECAYS);
  const all: Sample[] = [];
  const add = (
    shape: string,
    decay: string,
    value: string,
    aggregate: 'all' | 'root',
    vertices?: number,
    anyOrder?: boolean,
  ) => all.push(sample(random, { shape, decay, value, aggregate, vertices, anyOrder }));
  for (const [i, shape] of [...shapes, ...shapes].entries()) {
    for (const aggregate of ['all', 'root'] as const) {
      const decay =
        decays[(i + (aggregate === 'root' ? 3 : 0) + Math.floor(i / shapes.length)) % decays.length];
      add(shape, decay, i % 4 === 2 ? 'huge' : i % 4 === 3 ? 'denormal' : 'usual', aggregate);
    }
  }
  for (const aggregate of ['all', 'root'] as const) {
    add('path', 'usual', 'usual', aggregate, 1);
    add('path', 'usual', 'usual', aggregate, 2);
    add('random', 'usual', 'usual', aggregate, 300);
    add('random', 'usual', 'NaN', aggregate);
    add('random', 'usual', 'usual', aggregate, 31, true);
    add('binary', 'usual', 'usual', aggregate, 40, true);
    for (const [batch, channels] of [
      [0, 3],
      [2, 0],
    ]) {
      const shape = [batch, 2, channels];
      const tree = { order: random.ints([batch, 2], (i) => i % 2), parent: random.ints([batch, 2], () => 0) };
      all.push({
        what: `shape ${shape}, ${aggregate}`,
        inputs: { x: random.tensor(shape), decay: random.tensor(shape), ...tree },
        attributes: { aggregate },
        withoutGradient: true,
      });
    }
  }
  // In the mode `all` the second pass takes out what came from below, and infinity less infinity is NaN.
  add('binary', 'usual', 'infinite', 'root');
  return all;
}

interface SampleOptions {
  readonly shape: string;
  readonly decay: string;
  readonly value: string;
  readonly aggregate: 'all' | 'root';
  readonly vertices?: number;
  /** Parents come before their children, but not breadth first. */
  readonly anyOrder?: boolean;
}

function sample(
  random: Random,
  { shape, decay, value, aggregate, vertices, anyOrder }: SampleOptions,
): Sample {
  const numVertices = vertices ?? random.integer(5, 48);
  const [batch, channels] = [random.integer(1, 3), random.pick(CHANNELS)];
  const dims = [batch, numVertices, channels];
  const trees = Array.from({ length: batch }, () => {
    const tree = shuffledTree(shape, numVertices, random);
    return anyOrder ? reordered(tree, random) : tree;
  });
  const { order, parent } = batchOfTrees(trees);
  return {
    what: `${shape}${anyOrder ? ' in any order' : ''}, V = ${numVertices}, D = ${channels}, ${aggregate}, decay ${decay}, x ${value}`,
    inputs: {
      x: random.tensor(dims, () => VALUES[value](random)),
      decay: random.tensor(dims, () => DECAYS[decay](random)),
      order,
      parent,
    },
    attributes: { aggregate },
    notFinite: value === 'NaN' || value === 'infinite',
  };
}

/** `order` and `parent` of a random tree over a grid. */
function perfTree(side: number, random: Random) {
  const edges = gridEdges(side, side);
  const weights = random.floats(edges.length / 2, () => random.next());
  const chosen = [...kruskal(weights, edges, side * side)];
  const pairs = chosen.flatMap((e) => [edges[2 * e], edges[2 * e + 1]]);
  const { order, parent } = batchOfTrees([rootTree(pairs, side * side)]);
  return [order, parent];
}

function isRoot(i: number, { inputs, shapes }: KernelArguments): boolean {
  const [, numVertices, channels] = shapes.x;
  const b = Math.floor(i / (numVertices * channels));
  return Math.floor(i / channels) % numVertices === inputs.order[b * numVertices];
}

interface Passes {
  /** Whether the child at a position counts for its parent. */
  readonly counts?: (position: number, parent: Values) => boolean;
  readonly down?: (own: number, decay: number, parent: number) => number;
  readonly channels?: (channels: number) => number;
}

/** Both passes as a kernel runs them, with a hook at each edge. */
function passes({
  counts = () => true,
  down = (own, w, p) => own + w * (p - w * own),
  channels = (d) => d,
}: Passes): Fault {
  return () => (args) => {
    const { attributes, outputs } = args;
    const { y } = overTrees(args, ['y'], ({ x, decay }, { order, parent }, width) => {
      const y = Float32Array.from(x);
      const visit = (i: number, each: (v: number, p: number) => void) => {
        for (let d = 0; d < channels(width); d++) each(order[i] * width + d, order[parent[i]] * width + d);
      };
      for (let i = order.length - 1; i > 0; i--) {
        if (counts(i, parent)) visit(i, (v, p) => (y[p] += decay[v] * y[v]));
      }
      if (attributes.aggregate === 'all') {
        for (let i = 1; i < order.length; i++) visit(i, (v, p) => (y[v] = down(y[v], decay[v], y[p])));
      }
      return { y };
    });
    outputs.y.set(y);
  };
}

/** Takes the children of a vertex to be the positions from its first child on. */
function siblingsSideBySide(): Fault {
  return before(({ inputs, shapes }) => {
    const [, numVertices] = shapes.order;
    const parent = inputs.parent.slice();
    for (let b = 0; b < parent.length; b += numVertices) parent.subarray(b, b + numVertices).sort();
    return { inputs: { ...inputs, parent } };
  });
}
