/** `edge_weights_*` files: features on a graph and the reference's edge weights. */
import type { Metric } from '../../plugin/ops/edge_dissimilarity.js';
import { edgeDissimilaritySpec } from '../../plugin/ops/edge_dissimilarity.spec.js';
import { type CaseTensor, type ConformanceCase, float64, type OpCase, type Reference } from '../case.js';
import { outputsCase } from '../spec_cases.js';
import { type CaseFile, channelsLast, reshaped } from './case_file.js';
import { checkEdges, contradiction } from './tree_cases.js';

/** The stored function of the op's weight, its inverse, and the accuracy of the inverse. */
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

/** A case of the op: close to float64, bit for bit on IEEE backends as promised, and close to the file's values. */
export function edgeWeightsCase({ name, features, edges, metric, stored = [] }: EdgeWeightsSource): OpCase {
  checkEdges(edges, features.shape[1]);
  const attributes = { metric };
  const inputs = { features, edges };
  const testCase = outputsCase(edgeDissimilaritySpec, { name, inputs, attributes });
  const { shape, values: oracle } = testCase.references[0].tensor;
  const references: Reference[] = [];
  let problem: string | undefined;
  for (const { from, values, of, inverse } of stored) {
    if (inverse) {
      const tensor = float64(shape, Array.from(values.values, inverse));
      references.push({ of: 'weights', from, tensor });
    }
    // A float32 exp of a weight that itself is off by a few units; infinite beyond the range of float32.
    const { absolute, relative } = edgeDissimilaritySpec.bound('float32', { inputs, attributes }, false);
    const expected = Array.from(oracle, (weight) => Math.fround(of(weight)));
    const slack = inverse ? 1 : Math.max(1, ...Array.from(oracle).filter((weight) => weight < 100));
    problem ??= contradiction(from, values.values, expected, {
      relative: 2 ** -22 + (absolute + relative) * slack,
      absolute: 1e-12,
    });
  }
  return { ...testCase, references: [...testCase.references, ...references], contradiction: problem };
}
