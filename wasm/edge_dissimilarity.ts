/** EdgeDissimilarity and its gradient on WebAssembly. */
import {
  EdgeDissimilarity,
  EdgeDissimilarityGradient,
  type Metric,
  SMALLEST_NORM,
} from '../plugin/ops/edge_dissimilarity.js';
import { Metric as Code } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

/** The codes of metrics in constants.h. */
export const METRICS: Readonly<Record<Metric, number>> = {
  cosine: Code.COSINE,
  euclidean: Code.EUCLIDEAN,
  manhattan: Code.MANHATTAN,
};

registerWasmKernel(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: { weights }, shapes, attributes, inParts, scratch }) => {
    const { metric } = attributes;
    const [batch, vertices, channels] = shapes.features;
    const [numEdges] = shapes.edges;
    let norms = 0;
    if (metric === 'cosine') {
      norms = scratch(8 * batch * vertices);
      inParts('edge_norms', partsOf(batch * vertices, 0.3 * channels), (row, count) => [
        ...([features + 4 * row * channels, norms + 8 * row, count, channels, SMALLEST_NORM] as const),
      ]);
    }
    inParts('edge_dissimilarity', partsOf(batch * numEdges, 0.3 * channels), (first, count) => [
      ...([features, edges, weights, norms, first, first + count, vertices, numEdges] as const),
      ...([channels, METRICS[metric]] as const),
    ]);
  },
);

registerWasmKernel(
  EdgeDissimilarityGradient,
  ({ inputs: { features, edges, dy }, outputs, shapes, attributes: { metric }, functions, scratch }) => {
    const [batch, vertices, channels] = shapes.features;
    const norms = scratch(metric === 'cosine' ? 8 * vertices : 0);
    functions.edge_dissimilarity_gradient(
      ...([features, edges, dy, outputs.dfeatures, norms, batch, vertices, shapes.edges[0]] as const),
      ...([channels, METRICS[metric], SMALLEST_NORM] as const),
    );
  },
);
