import { treeScanBound } from './spec/bound.js';
import {
  always,
  before,
  changed,
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
import { type Aggregate, treeScan, treeScanGradient } from './spec/tree_scan.js';
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
    'the root’s decay is used': changed('y', (y, i, args) =>
      isRoot(i, args.shapes.x[2], args) ? y * args.inputs.decay[groupOf(i, args)] : y,
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
      (_, i, { inputs: { decay }, shapes }) => decay[(i + shapes.decay[2]) % decay.length],
    ),
    'all channels have the decay of the first group': mapped(
      'decay',
      (_, i, { inputs: { decay }, shapes }) => decay[i - (i % shapes.decay[2])],
    ),
    'neighbouring channels have the decays of different groups': before((args) => {
      const { shapes, inputs } = args;
      const [batch, numVertices, channels] = shapes.x;
      const [, , groups] = shapes.decay;
      const decay = Float32Array.from({ length: batch * numVertices * channels }, (_, i) => {
        return inputs.decay[Math.floor(i / channels) * groups + ((i % channels) % groups)];
      });
      return { inputs: { ...inputs, decay }, shapes: { ...shapes, decay: shapes.x } };
    }),
    'the scan from the root runs towards it': before(({ attributes: { aggregate } }) => ({
      attributes: { aggregate: aggregate === 'leaves' ? 'root' : aggregate },
    })),
    'the scan from the root has the decays of parents': before(parentsDecays),
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
      'the gradient of the decay has the wrong sign': changed('ddecay', (g) => -g),
      'the root’s decay has a gradient': changed('ddecay', (g, i, args) =>
        isRoot(i, args.shapes.decay[2], args) ? 1 : g,
      ),
      'the gradients are swapped': (correct) => (args) => {
        const { dx, ddecay } = args.outputs;
        const outputs = dx.length === ddecay.length ? { dx: ddecay, ddecay: dx } : args.outputs;
        correct({ ...args, outputs });
      },
      'the gradient is that of the root mode': always({ aggregate: 'root' }),
      'the gradient is that of the mode leaves': always({ aggregate: 'leaves' }),
      'the gradient of a decay is the mean of its channels’': changed(
        'ddecay',
        (g, _, { shapes }) => (g * shapes.decay[2]) / shapes.x[2],
      ),
      'the gradient of a decay is that of its first channel': firstChannels(),
      'half of the gradient of the decay is missing': changed('ddecay', (g) => g / 2),
      'the gradient of x is what came in': changed('dx', (_, i, { inputs: { dy } }) => dy[i]),
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

/** Applies a formula for one tree, with a decay per channel, to a batch. */
function overTrees<Name extends string>(
  { inputs, shapes }: Pick<FormulaArguments, 'inputs' | 'shapes'>,
  outputs: readonly Name[],
  compute: (item: Record<string, Values>, tree: RootedTree, channels: number) => Record<Name, Values>,
): Record<Name, Float64Array> {
  const [batch, , channels] = shapes.x;
  const trees = treesOf({ order: inputs.order, parent: inputs.parent }, shapes.order);
  const each: Record<string, Values> = { ...inputs, decay: channelDecays(inputs.decay, shapes) };
  return overBatch(batch, outputs, (b) => {
    const item = Object.fromEntries(
      ['x', 'decay', 'dy'].flatMap((name) => (each[name] ? [[name, itemOf(each[name], batch, b)]] : [])),
    );
    return compute(item, trees[b], channels);
  });
}

/** Expands decays [B, V, G] to [B, V, D]: the channels of a group are adjacent. */
function channelDecays(decay: Values, { x, decay: { 2: groups } }: FormulaArguments['shapes']): Float64Array {
  const size = x[2] / groups;
  return Float64Array.from({ length: x[0] * x[1] * x[2] }, (_, i) => decay[Math.floor(i / size)]);
}

function gradients(args: FormulaArguments): { dx: Float64Array; ddecay: Float64Array } {
  const aggregate = args.attributes.aggregate as Aggregate;
  const { dx, ddecay: ofChannels } = overTrees(args, ['dx', 'ddecay'], ({ x, decay, dy }, tree, channels) =>
    treeScanGradient(x, decay, dy, tree, channels, aggregate),
  );
  const { x, decay } = args.shapes;
  const ddecay = new Float64Array(args.inputs.decay.length);
  const size = x[2] / decay[2];
  ofChannels.forEach((gradient, i) => {
    ddecay[Math.floor(i / size)] += gradient;
  });
  return { dx, ddecay };
}

/** Distributions of decays. */
const DECAYS: Readonly<Record<string, (random: Random) => number>> = {
  usual: (random) => random.next(),
  zero: () => 0,
  one: () => 1,
  'just under one': () => 1 - 2 ** -24,
  'zero and one': (random) => random.integer(0, 1),
  negative: (random) => 2 * random.next() - 1,
};

/** Distributions of values. */
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

/** Channels and groups: groups of one channel, of a multiple of four, and of sizes that do not fit a register. */
const GROUPED: readonly (readonly [channels: number, groups: number])[] = [
  [8, 1],
  [6, 3],
  [24, 2],
  [7, 1],
  [16, 4],
  [10, 2],
  [33, 1],
  [15, 3],
  [1, 1],
  [48, 3],
  [9, 9],
  [4, 2],
];

const AGGREGATES: readonly Aggregate[] = ['all', 'root', 'leaves'];

function samples(random: Random): Sample[] {
  const shapes = Object.keys(TREE_SHAPES);
  const decays = Object.keys(DECAYS);
  const all: Sample[] = [];
  const add = (shape: string, decay: string, value: string, options: SampleOptions) =>
    all.push(sample(random, shape, decay, value, options));
  for (const [i, shape] of [...shapes, ...shapes].entries()) {
    for (const aggregate of ['all', 'root'] as const) {
      const decay =
        decays[(i + (aggregate === 'root' ? 3 : 0) + Math.floor(i / shapes.length)) % decays.length];
      add(shape, decay, i % 4 === 2 ? 'huge' : i % 4 === 3 ? 'denormal' : 'usual', { aggregate });
    }
  }
  for (const aggregate of AGGREGATES) {
    add('path', 'usual', 'usual', { aggregate, vertices: 1 });
    add('path', 'usual', 'usual', { aggregate, vertices: 2 });
    add('random', 'usual', 'usual', { aggregate, vertices: 300 });
    add('random', 'usual', 'NaN', { aggregate });
    add('random', 'usual', 'usual', { aggregate, vertices: 31, anyOrder: true });
    add('binary', 'usual', 'usual', { aggregate, vertices: 40, anyOrder: true });
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
  // In mode `all` the second pass subtracts what came from below, and infinity minus infinity is NaN.
  add('binary', 'usual', 'infinite', { aggregate: 'root' });
  for (const [i, [channels, groups]] of GROUPED.entries()) {
    const options = { aggregate: AGGREGATES[i % 3], channels, groups };
    add(shapes[i % shapes.length], decays[i % decays.length], 'usual', options);
    add('random', 'usual', 'usual', { ...options, aggregate: AGGREGATES[(i + 1) % 3] });
  }
  for (const [i, aggregate] of AGGREGATES.entries()) {
    add('path', 'usual', 'usual', { aggregate, channels: 6, groups: 2, vertices: 1 });
    add('path', 'usual', 'usual', { aggregate, channels: 8, groups: 1, vertices: 2 });
    add('random', 'usual', 'usual', { aggregate, channels: 12, groups: 3, vertices: 200 + i });
    add('path', 'just under one', 'usual', { aggregate, channels: 5, groups: 1, vertices: 64 });
  }
  return all;
}

interface SampleOptions {
  readonly aggregate: Aggregate;
  readonly vertices?: number;
  /** Parents come before their children, but not in breadth-first order. */
  readonly anyOrder?: boolean;
  readonly channels?: number;
  /** As many as channels by default. */
  readonly groups?: number;
}

function sample(
  random: Random,
  shape: string,
  decay: string,
  value: string,
  { aggregate, vertices, anyOrder, channels: given, groups: parts }: SampleOptions,
): Sample {
  const numVertices = vertices ?? random.integer(5, 48);
  const [batch, channels] = [random.integer(1, 3), given ?? random.pick(CHANNELS)];
  const groups = parts ?? channels;
  const trees = Array.from({ length: batch }, () => {
    const tree = shuffledTree(shape, numVertices, random);
    return anyOrder ? reordered(tree, random) : tree;
  });
  const { order, parent } = batchOfTrees(trees);
  const width = groups === channels ? `D = ${channels}` : `D = ${channels} in ${groups} groups`;
  return {
    what: `${shape}${anyOrder ? ' in any order' : ''}, V = ${numVertices}, ${width}, ${aggregate}, decay ${decay}, x ${value}`,
    inputs: {
      x: random.tensor([batch, numVertices, channels], () => VALUES[value](random)),
      decay: random.tensor([batch, numVertices, groups], () => DECAYS[decay](random)),
      order,
      parent,
    },
    attributes: { aggregate },
    notFinite: value === 'NaN' || value === 'infinite',
  };
}

/** `order` and `parent` of a random tree over a grid. */
export function perfTree(side: number, random: Random) {
  const edges = gridEdges(side, side);
  const weights = random.floats(edges.length / 2, () => random.next());
  const chosen = [...kruskal(weights, edges, side * side)];
  const pairs = chosen.flatMap((e) => [edges[2 * e], edges[2 * e + 1]]);
  const { order, parent } = batchOfTrees([rootTree(pairs, side * side)]);
  return [order, parent];
}

/** Whether an element of [B, V, width] belongs to a root. */
function isRoot(i: number, width: number, { inputs, shapes }: KernelArguments): boolean {
  const [, numVertices] = shapes.x;
  const row = Math.floor(i / width);
  return row % numVertices === inputs.order[row - (row % numVertices)];
}

/** Returns the index of the decay of an element of x. */
function groupOf(i: number, { shapes }: KernelArguments): number {
  return Math.floor((i * shapes.decay[2]) / shapes.x[2]);
}

/** In mode `leaves`, uses the decay of a vertex on the edges to its children. */
function parentsDecays({ inputs, shapes, attributes }: KernelArguments): Partial<KernelArguments> {
  if (attributes.aggregate !== 'leaves') return {};
  const { order, parent, decay } = inputs;
  const [, numVertices, groups] = shapes.decay;
  const moved = decay.slice();
  for (let at = 0; at < order.length; at++) {
    const first = at - (at % numVertices);
    const [v, p] = [first + order[at], first + order[first + parent[at]]];
    for (let g = 0; g < groups; g++) moved[v * groups + g] = decay[p * groups + g];
  }
  return { inputs: { ...inputs, decay: moved } };
}

/** Gradients of decays that ignore all channels of a group but the first. */
function firstChannels(): Fault {
  return (correct) => (args) => {
    correct(args);
    const { shapes } = args;
    const decay = Float32Array.from(channelDecays(args.inputs.decay, shapes));
    const each = { dx: new Float32Array(decay.length), ddecay: new Float32Array(decay.length) };
    const ofChannels = { inputs: { ...args.inputs, decay }, shapes: { ...shapes, decay: shapes.x } };
    correct({ ...args, ...ofChannels, outputs: each });
    const size = shapes.x[2] / shapes.decay[2];
    args.outputs.ddecay.set(args.outputs.ddecay.map((_, i) => each.ddecay[i * size]));
  };
}

interface Passes {
  /** Whether the child at a position is added to its parent. */
  readonly counts?: (position: number, parent: Values) => boolean;
  readonly down?: (own: number, decay: number, parent: number) => number;
  readonly channels?: (channels: number) => number;
}

/** Both passes as in a kernel, with a hook at each edge. */
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
      if (attributes.aggregate === 'leaves') {
        for (let i = 1; i < order.length; i++) {
          if (counts(i, parent)) visit(i, (v, p) => (y[v] += decay[v] * y[p]));
        }
        return { y };
      }
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

/** Assumes that the children of a vertex are the consecutive positions from its first child on. */
function siblingsSideBySide(): Fault {
  return before(({ inputs, shapes }) => {
    const [, numVertices] = shapes.order;
    const parent = inputs.parent.slice();
    for (let b = 0; b < parent.length; b += numVertices) parent.subarray(b, b + numVertices).sort();
    return { inputs: { ...inputs, parent } };
  });
}
