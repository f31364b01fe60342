import { EdgeDissimilarity, EdgeDissimilarityGradient, type Metric } from './edge_dissimilarity.js';
import { METRICS, smallestNorm } from './parent_dissimilarity.spec.js';
import { DENORMAL, SINGLE_OP } from './spec/bound.js';
import {
  after,
  always,
  before,
  changed,
  computing,
  firstItem,
  mapped,
  roundedToFloat16,
} from './spec/faults.js';
import { connectedGraph, gridEdges } from './spec/graphs.js';
import type { Random } from './spec/random.js';
import {
  defineSpec,
  type Fault,
  type FormulaArguments,
  itemOf,
  overBatch,
  type Sample,
  type Values,
} from './spec/spec.js';
import { int32 } from './spec/tensor.js';
import { CHANNELS } from './tree_scan.spec.js';

export const edgeDissimilaritySpec = defineSpec(EdgeDissimilarity, {
  formula: ({ inputs: { features, edges }, shapes, attributes: { metric } }) =>
    each(features, shapes.features, (row, channels) => edgeWeights(row, edges, channels, metric)),
  exact: ({ inputs: { features, edges }, shapes, attributes: { metric } }) =>
    each(features, shapes.features, (row, channels) => edgeWeightsInFloat32(row, edges, channels, metric)),
  gradient: (args, { weights: dy }) => ({
    features: gradient({ ...args, inputs: { ...args.inputs, dy } }).dfeatures,
  }),
  // -cos: the dot product of unit vectors in eight partial sums errs by at most (D / 8 + 3) u, 23 u or 1.4e-6 at D = 160,
  // plus three roundings for the norms and quotients; a GPU's roots and quotients add a few units each. The distances are
  // sums of positive terms: the same bound, relative.
  tolerance: (tolerance, { inputs: { features }, attributes: { metric } }, isGradient) => {
    const reason = 'rounding of a sum in eight partial sums, two norms and two quotients';
    const size = { float32: SINGLE_OP.float32, shader: 1e-5 }[tolerance];
    if (isGradient) {
      // The gradient of a cosine is a difference of vectors of length 1 / norm.
      const terms = metric === 'cosine' ? 1 / smallestNorm(features, 1) : 0;
      return { absolute: DENORMAL[tolerance] + 4 * size * terms, relative: 4 * size, reason };
    }
    return metric === 'cosine'
      ? { absolute: size, relative: 0, reason }
      : { absolute: 0, relative: size, reason };
  },
  batchInvariant: true,
  samples,
  faults: {
    'norms are not clamped': smallNorms((dot, u, v) => dot / u / v),
    'the product of the norms is clamped, not each': smallNorms((dot, u, v) => dot / Math.max(u * v, 1e-8)),
    'the sign is missing': changed('weights', (w) => -w),
    'features are rounded to float16': roundedToFloat16('features'),
    'the last channel is missing': mapped('features', (f, i, { shapes }) =>
      (i + 1) % shapes.features[2] === 0 ? 0 : f,
    ),
    'the metric is always cosine': always({ metric: 'cosine' }),
    'the distance is not squared': after(({ outputs: { weights }, attributes }) => {
      if (attributes.metric === 'euclidean') weights.set(weights.map(Math.sqrt));
    }),
    'sums run in another order': computing(({ inputs: { features, edges }, shapes, attributes }) =>
      each(features, shapes.features, (row, channels) =>
        edgeWeights(row, edges, channels, attributes.metric as Metric),
      ),
    ),
    'every item of a batch has the first one’s features': firstItem('features'),
  },
  gradientKernel: {
    op: EdgeDissimilarityGradient,
    formula: gradient,
    faults: {
      'the gradient has the wrong sign': changed('dfeatures', (g) => -g),
      'the second ends of edges have no gradient': after((args) =>
        args.outputs.dfeatures.set(gradientAtEnds(args, [0])),
      ),
      'the first ends of edges have no gradient': after((args) =>
        args.outputs.dfeatures.set(gradientAtEnds(args, [1])),
      ),
      'the last edge is left out': before(({ inputs }) => ({
        inputs: { ...inputs, edges: inputs.edges.subarray(0, -2) },
      })),
      'the 2 of the square is missing': after(({ outputs: { dfeatures }, attributes }) => {
        if (attributes.metric === 'euclidean') dfeatures.set(dfeatures.map((g) => g / 2));
      }),
      'the metric is always cosine': always({ metric: 'cosine' }),
      'dy is rounded to float16': roundedToFloat16('dy'),
      'every item of a batch has the first one’s dy': firstItem('dy'),
    },
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: {
        features: random.tensor([1, side * side, channels]),
        edges: int32([2 * side * (side - 1), 2], gridEdges(side, side)),
      },
    }),
  },
});

function samples(random: Random): Sample[] {
  const kinds: Readonly<Record<string, () => number>> = {
    usual: () => random.normal(),
    tiny: () => random.normal() * 1e-12,
    large: () => random.normal() * 1e12,
    'mostly zero': () => (random.next() < 0.8 ? 0 : random.normal()),
  };
  const metrics: readonly Metric[] = ['cosine', 'euclidean', 'manhattan'];
  const drawn = Object.entries(kinds).flatMap(([kind, draw]) =>
    metrics.map((metric) => {
      const [batch, numVertices] = [random.integer(1, 3), random.integer(4, 30)];
      const channels = random.pick(CHANNELS);
      const edges = connectedGraph(numVertices, numVertices, random);
      return {
        what: `D = ${channels}, ${kind} features, ${metric}`,
        inputs: {
          features: random.tensor([batch, numVertices, channels], draw),
          edges: int32([edges.length / 2, 2], edges),
        },
        attributes: { metric },
      };
    }),
  );
  const vectors = random.tensor([1, 1, 37], () => 3 * random.normal()).values;
  const special = metrics.flatMap((metric): Sample[] => [
    {
      what: `equal features, ${metric}`,
      inputs: {
        features: random.tensor([1, 2, 37], repeated(vectors)),
        edges: int32([1, 2], [0, 1]),
      },
      attributes: { metric },
    },
    ...[
      [2, 0, 3],
      [0, 2, 3],
      [1, 2, 0],
    ].map(([batch, numEdges, channels]) => ({
      what: `B = ${batch}, E = ${numEdges}, D = ${channels}, ${metric}`,
      inputs: {
        features: random.tensor([batch, 2, channels]),
        edges: int32([numEdges, 2], new Array(2 * numEdges).fill(1)),
      },
      attributes: { metric },
    })),
    {
      what: `zeros, infinities and NaN, ${metric}`,
      inputs: {
        features: random.tensor([2, 6, 9], () =>
          random.pick([
            0,
            -0,
            1e-30,
            1e30,
            1,
            Number.POSITIVE_INFINITY,
            Number.NEGATIVE_INFINITY,
            Number.NaN,
          ]),
        ),
        edges: int32([7, 2], gridEdges(2, 3)),
      },
      attributes: { metric },
      notFinite: true,
      withoutGradient: true, // NaN has no gradient
    },
  ]);
  return [...drawn, ...special];
}

/** Cycles through the values of an array. */
function repeated(values: Values): () => number {
  let at = 0;
  return () => values[at++ % values.length];
}

function each(
  features: Values,
  [batch, , channels]: readonly number[],
  weigh: (row: Values, channels: number) => Values,
): { weights: Float64Array } {
  return overBatch(batch, ['weights'], (b) => ({ weights: weigh(itemOf(features, batch, b), channels) }));
}

const SMALLEST_NORM = 1e-8;

/** [V, D] features of one graph -> [E] weights, in float64. */
export function edgeWeights(features: Values, edges: Values, channels: number, metric: Metric): Float64Array {
  return Float64Array.from({ length: edges.length / 2 }, (_, e) => {
    const [u, v] = [edges[2 * e] * channels, edges[2 * e + 1] * channels];
    let [dot, uu, vv, euclidean, manhattan] = [0, 0, 0, 0, 0];
    for (let d = 0; d < channels; d++) {
      const [a, b] = [features[u + d], features[v + d]];
      dot += a * b;
      uu += a * a;
      vv += b * b;
      euclidean += (a - b) ** 2;
      manhattan += Math.abs(a - b);
    }
    if (metric === 'euclidean') return euclidean;
    if (metric === 'manhattan') return manhattan;
    return -dot / Math.max(Math.sqrt(uu), SMALLEST_NORM) / Math.max(Math.sqrt(vv), SMALLEST_NORM);
  });
}

/**
 * The same with sums in float32, bit for bit as the op guarantees: term d goes to partial sum d mod 8, and the eight are
 * added as ((0+4)+(2+6))+((1+5)+(3+7)), every product and sum rounded. The last step of the cosine is in float64, rounded
 * once.
 */
function edgeWeightsInFloat32(
  features: Values,
  edges: Values,
  channels: number,
  metric: Metric,
): Float32Array {
  const r = Math.fround;
  const sum = (term: (d: number) => number): number => {
    const s = new Array<number>(8).fill(0);
    for (let d = 0; d < channels; d++) s[d & 7] = r(s[d & 7] + r(term(d)));
    const half = s.slice(0, 4).map((x, i) => r(x + s[i + 4]));
    return r(r(half[0] + half[2]) + r(half[1] + half[3]));
  };
  const norm = (at: number) =>
    Math.max(SMALLEST_NORM, Math.sqrt(sum((d) => features[at + d] * features[at + d])));
  return Float32Array.from({ length: edges.length / 2 }, (_, e) => {
    const [u, v] = [edges[2 * e] * channels, edges[2 * e + 1] * channels];
    const gap = (d: number) => r(features[u + d] - features[v + d]);
    if (metric === 'euclidean') return sum((d) => gap(d) * gap(d));
    if (metric === 'manhattan') return sum((d) => Math.abs(gap(d)));
    return -sum((d) => features[u + d] * features[v + d]) / (norm(u) * norm(v));
  });
}

function gradient(args: FormulaArguments): { dfeatures: Float64Array } {
  return { dfeatures: gradientAtEnds(args, [0, 1]) };
}

/** Computes the gradient of the features from the gradients at the ends of all edges. */
function gradientAtEnds(
  { inputs, shapes, attributes }: FormulaArguments,
  ends: readonly number[],
): Float64Array {
  const { features, edges, dy } = inputs;
  const [batch, numVertices, channels] = shapes.features;
  const numEdges = edges.length / 2;
  const sums = new Float64Array(features.length);
  const { slope } = METRICS[attributes.metric as Metric];
  for (let b = 0; b < batch; b++) {
    for (let e = 0; e < numEdges; e++) {
      const rows = [0, 1].map((end) => (b * numVertices + edges[2 * e + end]) * channels);
      const vectors = rows.map((row) => Float64Array.from({ length: channels }, (_, d) => features[row + d]));
      for (const end of ends) {
        slope(vectors[end], vectors[1 - end]).forEach((value, d) => {
          sums[rows[end] + d] += dy[b * shapes.edges[0] + e] * value;
        });
      }
    }
  }
  return sums;
}

/** A fault: edges at a zero vector use another rule for the division by norms. */
function smallNorms(divide: (dot: number, u: number, v: number) => number): Fault {
  return after(({ inputs: { features, edges }, outputs: { weights }, shapes, attributes }) => {
    const [batch, numVertices, channels] = shapes.features;
    const numEdges = shapes.edges[0];
    if (attributes.metric !== 'cosine') return;
    for (let i = 0; i < batch * numEdges; i++) {
      const [b, e] = [Math.floor(i / numEdges), i % numEdges];
      const row = (end: number) => {
        const first = (b * numVertices + edges[2 * e + end]) * channels;
        return features.subarray(first, first + channels);
      };
      const dot = (u: Values, v: Values) => Array.from(u).reduce((sum, x, d) => sum + x * v[d], 0);
      const [u, v] = [row(0), row(1)];
      const norms = [Math.sqrt(dot(u, u)), Math.sqrt(dot(v, v))];
      if (Math.min(...norms) < 1e-8) weights[i] = -divide(dot(u, v), norms[0], norms[1]);
    }
  });
}
