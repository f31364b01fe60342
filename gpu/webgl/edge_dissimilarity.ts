/** EdgeDissimilarity in one draw. The edges go to the GPU once for each edge list. */
import { EdgeDissimilarity, type Metric } from '../../plugin/ops/edge_dissimilarity.js';
import { registerWebglKernel } from './kernels.js';
import { EdgeDissimilarityProgram } from './programs/edge_dissimilarity_program.js';

registerWebglKernel(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: [{ shape }], attributes, draw, derived, read }) => {
    // A copy, so that the host keeps the edges for the tree that is made of them.
    // A copy, so that the host keeps the edges for the tree that is made of them. A texel is two edges.
    const { texture } = derived(edges, 'edges', () => {
      const [numEdges] = edges.shape;
      const values = new Float32Array(4 * Math.ceil(numEdges / 2));
      values.set(read(edges));
      return { values, shape: [2 * Math.ceil(numEdges / 2), 2], facts: undefined };
    });
    const [, numVertices, channels] = features.shape;
    const program = new EdgeDissimilarityProgram(shape, attributes.metric as Metric);
    return [draw(program, [features, texture], [numVertices, channels])];
  },
  { exact: true },
);
