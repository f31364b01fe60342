/** EdgeDissimilarity and its gradient on WebAssembly. */
import {
  EdgeDissimilarity,
  EdgeDissimilarityGradient,
  type Metric,
  SMALLEST_NORM,
} from '../plugin/ops/edge_dissimilarity.js';
import { Metric as Code } from './constants.js';
import { registerWasmKernel } from './kernels.js';

type Sizes = [
  batch: number,
  vertices: number,
  numEdges: number,
  channels: number,
  metric: number,
  smallestNorm: number,
];

/** Of edge_dissimilarity.cc. */
interface Functions {
  edge_dissimilarity(features: number, edges: number, weights: number, norms: number, ...sizes: Sizes): void;
  edge_dissimilarity_gradient(
    features: number,
    edges: number,
    dy: number,
    dfeatures: number,
    norms: number,
    ...sizes: Sizes
  ): void;
}

/** The numbers of metrics in constants.h. */
export const METRICS: Readonly<Record<Metric, number>> = {
  cosine: Code.COSINE,
  euclidean: Code.EUCLIDEAN,
  manhattan: Code.MANHATTAN,
};

/** Sizes that both functions take, and bytes of scratch memory for norms. */
function sizesOf(
  { features, edges }: { readonly features: readonly number[]; readonly edges: readonly number[] },
  metric: Metric,
): { sizes: Sizes; bytes: number } {
  const [batch, vertices, channels] = features;
  return {
    sizes: [batch, vertices, edges[0], channels, METRICS[metric], SMALLEST_NORM],
    bytes: metric === 'cosine' ? 8 * vertices : 0,
  };
}

registerWasmKernel<typeof EdgeDissimilarity, Functions>(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: { weights }, shapes, attributes, functions, scratch }) => {
    const { sizes, bytes } = sizesOf(shapes, attributes.metric);
    functions.edge_dissimilarity(features, edges, weights, scratch(bytes), ...sizes);
  },
);

registerWasmKernel<typeof EdgeDissimilarityGradient, Functions>(
  EdgeDissimilarityGradient,
  ({ inputs: { features, edges, dy }, outputs, shapes, attributes, functions, scratch }) => {
    const { sizes, bytes } = sizesOf(shapes, attributes.metric);
    const { dfeatures } = outputs;
    functions.edge_dissimilarity_gradient(features, edges, dy, dfeatures, scratch(bytes), ...sizes);
  },
);
