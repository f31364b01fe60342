import type { Metric } from './edge_dissimilarity.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from './parent_dissimilarity.js';
import { DENORMAL, SINGLE_OP } from './spec/bound.js';
import { after, always, before, changed, firstItem, mapped, roundedToFloat16 } from './spec/faults.js';
import { reordered, shuffledTree } from './spec/graphs.js';
import type { Random } from './spec/random.js';
import { batchOfTrees, parentIdsOf, treesOf } from './spec/rooted_tree.js';
import {
  defineSpec,
  type FormulaArguments,
  type KernelArguments,
  type Sample,
  type Values,
} from './spec/spec.js';
import { type CaseTensor, type CaseTensors, int32 } from './spec/tensor.js';
import { perfTree } from './tree_scan.spec.js';

export const parentDissimilaritySpec = defineSpec(ParentDissimilarity, {
  formula: (args) => {
    const distance = new Float64Array((args.inputs.order.length * args.attributes.groups) as number);
    for (const { edge, u, p } of pairs(args)) distance[edge] = METRICS[args.attributes.metric].distance(u, p);
    return { distance };
  },
  gradient: (args, { distance }) => ({
    features: gradient({ ...args, inputs: { ...args.inputs, dy: distance } }).dfeatures,
  }),
  tolerance: (tolerance, { inputs, attributes }, isGradient) => {
    const relative = SINGLE_OP[tolerance] * (isGradient ? 4 : 1);
    const isCosine = attributes.metric === 'cosine';
    // A cosine is at most 1; its gradient is a difference of vectors of length 1 / norm.
    const terms = isCosine
      ? isGradient
        ? 1 / smallestNorm(inputs.features, attributes.groups as number)
        : 1
      : 0;
    return {
      absolute: DENORMAL[tolerance] + relative * terms,
      relative,
      reason: 'rounding of sums over a group, two norms and two quotients',
    };
  },
  batchInvariant: true,
  samples,
  faults: {
    'the root has a distance': after((args) => {
      for (const root of rootsOf(args)) args.outputs.distance[root * (args.attributes.groups as number)] = 1;
    }),
    'the sign of the cosine is missing': after(({ outputs: { distance }, attributes }) => {
      if (attributes.metric === 'cosine') distance.set(distance.map((d) => -d));
    }),
    'the distance is not squared': after(({ outputs: { distance }, attributes }) => {
      if (attributes.metric === 'euclidean') distance.set(distance.map(Math.sqrt));
    }),
    'the metric is always cosine': always({ metric: 'cosine' }),
    'the metric is always euclidean': always({ metric: 'euclidean' }),
    'the distances are means over a group': after(({ outputs: { distance }, attributes, shapes }) => {
      if (attributes.metric === 'cosine') return;
      distance.set(distance.map((d) => (d * (attributes.groups as number)) / shapes.features[2]));
    }),
    'the channels of a group are not side by side': before((args) => {
      const [, , channels] = args.shapes.features;
      const groups = args.attributes.groups as number;
      const features = args.inputs.features.map((_, i) => {
        const c = i % channels;
        return args.inputs.features[
          i - c + (c % (channels / groups)) * groups + Math.floor((c * groups) / channels)
        ];
      });
      return { inputs: { ...args.inputs, features } };
    }),
    'the last channel is missing': mapped('features', (f, i, { shapes }) =>
      (i + 1) % shapes.features[2] === 0 ? 0 : f,
    ),
    'parents are positions, not vertices': before(({ inputs, shapes }) => {
      const [, numVertices] = shapes.order;
      const { order, parent } = inputs;
      const moved = parent.map((p, i) =>
        Math.max(0, order.indexOf(p, i - (i % numVertices)) - (i - (i % numVertices))),
      );
      return { inputs: { ...inputs, parent: moved } };
    }),
    'norms are not clamped': after((args) => {
      if (args.attributes.metric !== 'cosine') return;
      for (const { edge, u, p } of pairs(args)) {
        args.outputs.distance[edge] = -dot(u, p) / (Math.sqrt(dot(u, u)) * Math.sqrt(dot(p, p)));
      }
    }),
    'features are rounded to float16': roundedToFloat16('features'),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
    'every item of a batch has the first one’s features': firstItem('features'),
  },
  gradientKernel: {
    op: ParentDissimilarityGradient,
    formula: gradient,
    faults: {
      'the gradient has the wrong sign': changed('dfeatures', (g) => -g),
      'parents have no gradient': after((args) =>
        args.outputs.dfeatures.set(gradientOf(args, ({ ofVertex }) => [ofVertex, undefined])),
      ),
      'vertices have the gradients of parents alone': after((args) =>
        args.outputs.dfeatures.set(gradientOf(args, ({ ofParent }) => [undefined, ofParent])),
      ),
      'the 2 of the square is missing': after(({ outputs: { dfeatures }, attributes }) => {
        if (attributes.metric === 'euclidean') dfeatures.set(dfeatures.map((g) => g / 2));
      }),
      'equal features have a gradient': after((args) => {
        if (args.attributes.metric !== 'manhattan') return;
        for (const { vertex, u, p, edge } of pairs(args)) {
          u.forEach((value, i) => {
            if (value === p[i]) args.outputs.dfeatures[vertex + i] -= args.inputs.dy[edge];
          });
        }
      }),
      'a vector of zeros has a gradient': after((args) => {
        if (args.attributes.metric !== 'cosine') return;
        for (const { vertex, u, p, edge } of pairs(args)) {
          if (dot(u, u) > 0) continue;
          p.forEach((value, i) => {
            args.outputs.dfeatures[vertex + i] -= (args.inputs.dy[edge] * value) / 1e-8;
          });
        }
      }),
      'norms are constants': after((args) => {
        if (args.attributes.metric !== 'cosine') return;
        args.outputs.dfeatures.set(
          gradientOf(args, ({ u, p }) => {
            const [nu, np] = [norm(u), norm(p)];
            return [p.map((value) => -value / (nu * np)), u.map((value) => -value / (nu * np))];
          }),
        );
      }),
      'all groups have the gradient of the first': mapped(
        'dy',
        (_, i, { inputs: { dy }, attributes }) => dy[i - (i % (attributes.groups as number))],
      ),
      'dy is rounded to float16': roundedToFloat16('dy'),
    },
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const [order, parent] = perfTree(side, random);
      return { inputs: { features: random.tensor([1, side * side, channels]), order, parent } };
    },
    variants: { euclidean: { metric: 'euclidean' } },
  },
});

const SMALLEST_NORM = 1e-8;

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const norm = (a: Float64Array) => Math.max(SMALLEST_NORM, Math.sqrt(dot(a, a)));

/** Formulas for two vectors. */
interface MetricFormulas {
  readonly distance: (u: Float64Array, p: Float64Array) => number;
  /** Derivative in u; that in p is the same with both swapped. */
  readonly slope: (u: Float64Array, p: Float64Array) => Float64Array;
}

export const METRICS: Readonly<Record<Metric, MetricFormulas>> = {
  euclidean: {
    distance: (u, p) => u.reduce((sum, value, i) => sum + (value - p[i]) ** 2, 0),
    slope: (u, p) => u.map((value, i) => 2 * (value - p[i])),
  },
  manhattan: {
    distance: (u, p) => u.reduce((sum, value, i) => sum + Math.abs(value - p[i]), 0),
    slope: (u, p) => u.map((value, i) => Math.sign(value - p[i])),
  },
  // For unit vectors a and b: moving a matters only perpendicular to a, scaled by 1 over the norm unless the norm is
  // clamped.
  cosine: {
    distance: (u, p) => -dot(u, p) / norm(u) / norm(p),
    slope: (u, p) => {
      if (dot(u, u) === 0) return new Float64Array(u.length);
      const [a, b] = [u.map((value) => value / norm(u)), p.map((value) => value / norm(p))];
      const along = norm(u) > SMALLEST_NORM ? dot(a, b) : 0;
      return b.map((value, i) => (a[i] * along - value) / norm(u));
    },
  },
};

interface Pair {
  /** Index in [B, V, G]. */
  readonly edge: number;
  /** Indices in [B, V, C] of the group of the vertex and of its parent, and their features. */
  readonly vertex: number;
  readonly parent: number;
  readonly u: Float64Array;
  readonly p: Float64Array;
}

/** Yields every group of every vertex that has a parent. */
function* pairs({ inputs, shapes, attributes }: FormulaArguments): Generator<Pair> {
  const [, numVertices, channels] = shapes.features;
  const groups = attributes.groups as number;
  const size = channels / groups;
  for (const [b, tree] of treesOf({ order: inputs.order, parent: inputs.parent }, shapes.order).entries()) {
    for (const [v, p] of parentIdsOf(tree).entries()) {
      if (p < 0) continue;
      for (let g = 0; g < groups; g++) {
        const at = (id: number) => (b * numVertices + id) * channels + g * size;
        const of = (first: number) =>
          Float64Array.from({ length: size }, (_, i) => inputs.features[first + i]);
        const [vertex, parent] = [at(v), at(p)];
        yield { edge: (b * numVertices + v) * groups + g, vertex, parent, u: of(vertex), p: of(parent) };
      }
    }
  }
}

type Slopes = readonly [ofVertex: Float64Array | undefined, ofParent: Float64Array | undefined];

/** Computes the gradient of the features from the derivatives at both ends of every edge. */
function gradientOf(
  args: FormulaArguments,
  slopes: (pair: Pair & { readonly ofVertex: Float64Array; readonly ofParent: Float64Array }) => Slopes,
): Float64Array {
  const sums = new Float64Array(args.inputs.features.length);
  const { slope } = METRICS[args.attributes.metric as Metric];
  for (const pair of pairs(args)) {
    const { edge, vertex, parent, u, p } = pair;
    const [ofVertex, ofParent] = slopes({ ...pair, ofVertex: slope(u, p), ofParent: slope(p, u) });
    ofVertex?.forEach((value, i) => {
      sums[vertex + i] += args.inputs.dy[edge] * value;
    });
    ofParent?.forEach((value, i) => {
      sums[parent + i] += args.inputs.dy[edge] * value;
    });
  }
  return sums;
}

function gradient(args: FormulaArguments): { dfeatures: Float64Array } {
  return { dfeatures: gradientOf(args, ({ ofVertex, ofParent }) => [ofVertex, ofParent]) };
}

function rootsOf({ inputs, shapes }: KernelArguments): number[] {
  const [batch, numVertices] = shapes.order;
  return Array.from({ length: batch }, (_, b) => b * numVertices + inputs.order[b * numVertices]);
}

/** The smallest norm that is not clamped over all groups; infinite if there is none. */
export function smallestNorm({ values, shape }: CaseTensor, groups: number): number {
  const size = shape[2] / groups;
  let smallest = Number.POSITIVE_INFINITY;
  for (let at = 0; at < values.length; at += size) {
    const length = Math.hypot(...Array.from({ length: size }, (_, i) => values[at + i]));
    if (length > SMALLEST_NORM) smallest = Math.min(smallest, length);
  }
  return smallest;
}

/** Channels and groups: groups of one channel, of a multiple of four, and of sizes that do not fit a register. */
const WIDTHS: readonly (readonly [channels: number, groups: number])[] = [
  [5, 1],
  [8, 1],
  [6, 6],
  [16, 4],
  [9, 3],
  [24, 2],
  [33, 1],
  [4, 2],
];

function samples(random: Random): Sample[] {
  const metrics = Object.keys(METRICS) as Metric[];
  const all: Sample[] = [];
  const add = (
    what: string,
    metric: Metric,
    [channels, groups]: readonly [number, number],
    {
      shape = 'random',
      vertices = random.integer(4, 40),
      batch = random.integer(1, 3),
      draw,
    }: SampleOptions = {},
  ) => {
    const trees = Array.from({ length: Math.max(batch, 1) }, () => shuffledTree(shape, vertices, random));
    const tree = batchOfTrees(
      what.includes('any order') ? trees.map((each) => reordered(each, random)) : trees,
    );
    const features = random.tensor([batch, vertices, channels], draw);
    const empty = { order: int32([0, vertices], []), parent: int32([0, vertices], []) };
    all.push({
      what: `${what}, ${shape}, V = ${vertices}, C = ${channels} in ${groups} groups, ${metric}`,
      inputs: { features, ...(batch ? { order: tree.order, parent: tree.parent } : empty) },
      attributes: { metric, groups },
      withoutGradient: batch * channels === 0,
    });
    return all[all.length - 1].inputs;
  };
  for (const metric of metrics) {
    for (const width of WIDTHS) add('usual features', metric, width);
    add('in any order', metric, [6, 2]);
    add('deep', metric, [5, 1], { shape: 'path', vertices: 150 });
    add('wide', metric, [8, 2], { shape: 'star', vertices: 130 });
    add('one vertex', metric, [3, 1], { vertices: 1 });
    add('two vertices', metric, [4, 2], { vertices: 2 });
    add('large features', metric, [6, 2], { draw: () => random.normal() * 1e12 });
    add('no item', metric, [4, 2], { batch: 0 });
    add('no channel', metric, [0, 2], { batch: 2 });
    for (const width of [
      [9, 1],
      [8, 4],
    ] as const) {
      zeroAndEqual(add('a vector of zeros and equal ones', metric, width, { vertices: 12 }));
    }
    add('small integers', metric, [6, 2], { draw: () => random.integer(-1, 1) });
  }
  add('features below the clamp', 'cosine', [6, 2], { draw: () => random.normal() * 1e-12 });
  return all;
}

interface SampleOptions {
  readonly shape?: string;
  readonly vertices?: number;
  readonly batch?: number;
  readonly draw?: () => number;
}

/** Vertex 3 becomes zero, and vertex 5 of every item equal to its parent. */
function zeroAndEqual({ features, order, parent }: CaseTensors): void {
  const [, numVertices, channels] = features.shape;
  const values = features.values as Float32Array;
  const trees = treesOf({ order: order.values as Values, parent: parent.values as Values }, order.shape);
  for (const [b, tree] of trees.entries()) {
    const row = (v: number) => (b * numVertices + v) * channels;
    values.fill(0, row(3), row(4));
    const ids = parentIdsOf(tree);
    const [v, p] = ids[5] < 0 ? [ids.indexOf(5), 5] : [5, ids[5]];
    values.copyWithin(row(v), row(p), row(p + 1));
  }
}
