/** EdgeDissimilarity on WebAssembly. */
import { EdgeDissimilarity, type Metric, SMALLEST_NORM } from '../plugin/ops/edge_dissimilarity.js';
import { Metric as Code } from './constants.js';
import { registerWasmKernel } from './kernels.js';

/** Of edge_dissimilarity.cc. */
interface Functions {
  edge_dissimilarity(
    features: number,
    edges: number,
    weights: number,
    norms: number,
    batch: number,
    vertices: number,
    numEdges: number,
    channels: number,
    metric: number,
    smallestNorm: number,
  ): void;
}

/** The numbers of metrics in constants.h. */
export const METRICS: Readonly<Record<Metric, number>> = {
  cosine: Code.COSINE,
  euclidean: Code.EUCLIDEAN,
  manhattan: Code.MANHATTAN,
};

registerWasmKernel<typeof EdgeDissimilarity, Functions>(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: { weights }, shapes, attributes, functions, scratch }) => {
    const [batch, vertices, channels] = shapes.features;
    const [numEdges] = shapes.edges;
    const { metric } = attributes;
    const norms = metric === 'cosine' ? scratch(8 * vertices) : 0;
    functions.edge_dissimilarity(
      features,
      edges,
      weights,
      norms,
      batch,
      vertices,
      numEdges,
      channels,
      METRICS[metric],
      SMALLEST_NORM,
    );
  },
);
