/** ParentDissimilarity and its gradient on WebAssembly. */
import { SMALLEST_NORM } from '../plugin/ops/edge_dissimilarity.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../plugin/ops/parent_dissimilarity.js';
import { METRICS } from './edge_dissimilarity.js';
import { registerWasmKernel } from './kernels.js';

/** Batch, vertices, groups, channels per group; the metric and its smallest norm. */
type Sizes = [number, number, number, number, number, number];

/** Returns the sizes that both functions take, and the bytes of scratch memory for norms. */
function sizesOf(
  { features: [batch, vertices, channels] }: { readonly features: readonly number[] },
  { metric, groups }: { readonly metric: keyof typeof METRICS; readonly groups: number },
): { sizes: Sizes; bytes: number } {
  return {
    sizes: [batch, vertices, groups, channels / groups, METRICS[metric], SMALLEST_NORM],
    bytes: metric === 'cosine' ? 8 * vertices * groups : 0,
  };
}

registerWasmKernel(
  ParentDissimilarity,
  ({ inputs: { features, order, parent }, outputs, shapes, attributes, functions, scratch }) => {
    const { sizes, bytes } = sizesOf(shapes, attributes);
    functions.parent_dissimilarity(features, order, parent, outputs.distance, scratch(bytes), ...sizes);
  },
);

registerWasmKernel(
  ParentDissimilarityGradient,
  ({ inputs: { features, order, parent, dy }, outputs, shapes, attributes, functions, scratch }) => {
    const { sizes, bytes } = sizesOf(shapes, attributes);
    const { dfeatures } = outputs;
    functions.parent_dissimilarity_gradient(features, order, parent, dy, dfeatures, scratch(bytes), ...sizes);
  },
);
