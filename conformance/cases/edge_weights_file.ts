/** `edge_weights_*` files: features on a graph and the reference's weights of its edges. */
import { dissimilarityBound, EXACT } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, float64, type OpCase, type Reference } from '../case.js';
import { edgeWeights, edgeWeightsInFloat32, type Metric } from '../oracles/edge_dissimilarity.js';
import { type CaseFile, channelsLast, reshaped } from './case_file.js';
import { checkEdges, concatenated, contradiction, rows } from './tree_cases.js';

/** What the files store as a function of the op's weight, its inverse, and how far the inverse is to be trusted. */
const STORED: readonly {
  readonly tensor: string;
  readonly metric: Metric;
  readonly of: (weight: number) => number;
  readonly inverse?: (stored: number) => number;
}[] = [
  { tensor: 'weight_cosine', metric: 'cosine', of: Math.exp, inverse: Math.log },
  {
    tensor: 'weight_cosine_max_tree',
    metric: 'cosine',
    of: (w) => Math.exp(-w),
    inverse: (s) => -Math.log(s),
  },
  { tensor: 'weight_norm2', metric: 'euclidean', of: (w) => w, inverse: (s) => s },
  { tensor: 'weight_norm2_exp', metric: 'euclidean', of: Math.exp },
  { tensor: 'weight_norm1', metric: 'manhattan', of: (w) => w, inverse: (s) => s },
];

export function isEdgeWeightsFile(file: CaseFile): boolean {
  return file.has('features', 'edges') && STORED.some(({ tensor }) => file.has(tensor));
}

export function edgeWeightsFileCases(file: CaseFile): ConformanceCase[] {
  const last = channelsLast(file.input('features'));
  const [batch, ...rest] = last.shape;
  const channels = rest[rest.length - 1];
  const features = reshaped(last, [batch, last.values.length / batch / channels, channels]);
  const edges = file.ints('edges', 2);
  const metrics = new Set(STORED.filter(({ tensor }) => file.has(tensor)).map(({ metric }) => metric));
  return [...metrics].map((metric) => {
    const stored = STORED.filter((entry) => entry.metric === metric && file.has(entry.tensor));
    return edgeWeightsCase({
      name: `${file.name} ${metric}`,
      features,
      edges,
      metric,
      stored: stored.map(({ tensor, of, inverse }) => ({
        from: tensor,
        values: file.floats(tensor),
        of,
        inverse,
      })),
    });
  });
}

export interface EdgeWeightsSource {
  readonly name: string;
  /** [B, V, D] float32. */
  readonly features: CaseTensor;
  readonly edges: CaseTensor;
  readonly metric: Metric;
  readonly stored?: readonly {
    readonly from: string;
    readonly values: CaseTensor;
    readonly of: (weight: number) => number;
    readonly inverse?: (stored: number) => number;
  }[];
}

/** A case of EdgeDissimilarity: near float64, and on an IEEE backend the bits that the op promises. */
export function edgeWeightsCase({ name, features, edges, metric, stored = [] }: EdgeWeightsSource): OpCase {
  checkEdges(edges, features.shape[1]);
  const channels = features.shape[2];
  const shape = [features.shape[0], edges.shape[0]];
  const each = (weigh: typeof edgeWeights | typeof edgeWeightsInFloat32) =>
    concatenated(rows(features).map((row) => weigh(row, edges.values, channels, metric)));
  const oracle = each(edgeWeights);
  const references: Reference[] = [
    { of: 'weights', from: 'float64 oracle', tensor: float64(shape, oracle) },
    {
      of: 'weights',
      from: 'float32 in the declared order',
      tensor: float64(shape, each(edgeWeightsInFloat32)),
      bound: EXACT,
      only: 'float32',
    },
  ];
  let problem: string | undefined;
  for (const { from, values, of, inverse } of stored) {
    if (inverse) {
      const tensor = float64(shape, Array.from(values.values, inverse));
      references.push({ of: 'weights', from, tensor });
    }
    // A float32 exp of a weight that is itself off by a few units; beyond float32 it is infinite.
    const { absolute, relative } = dissimilarityBound(metric, 'float32');
    const wanted = Array.from(oracle, (weight) => Math.fround(of(weight)));
    const slack = inverse ? 1 : Math.max(1, ...oracle.filter((weight) => weight < 100));
    problem ??= contradiction(from, values.values, wanted, {
      relative: 2 ** -22 + (absolute + relative) * slack,
      absolute: 1e-12,
    });
  }
  return {
    kind: 'op',
    name,
    op: 'EdgeDissimilarity',
    inputs: { features, edges },
    attributes: { metric },
    references,
    contradiction: problem,
  };
}
