/** EdgeDissimilarity: edge_dissimilarity.cu. */
import { EdgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { gridOf } from './backend/launch.js';
import { EDGE_THREADS } from './constants.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: { weights }, shapes, attributes, call }) => {
    const [numEdges] = shapes.edges;
    const [batch, numVertices] = shapes.features;
    const grid = gridOf(batch * numEdges * EDGE_THREADS);
    const kernel = `edge_dissimilarity_${attributes.metric}`;
    call.launch(kernel, grid, features, edges, weights, batch, numVertices, numEdges, shapes.features[2]);
  },
);
