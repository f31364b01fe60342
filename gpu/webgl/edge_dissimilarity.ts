/** EdgeDissimilarity in one draw. The edges go to the GPU once for each edge list. */
import { EdgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { registerWebglKernel } from './kernels.js';
import { EdgeDissimilarityProgram } from './programs/edge_dissimilarity_program.js';

registerWebglKernel(
  EdgeDissimilarity,
  ({
    inputs: { features, edges },
    outputs: [{ shape }],
    attributes,
    draw,
    cached,
    upload,
    read,
    runOnHost,
  }) => {
    const [, numVertices, channels] = features.shape;
    if (channels === 0) return runOnHost(); // no texture holds features without channels
    // A copy, so that the host keeps the edges for the tree that is made of them. A texel is two edges.
    const { textures } = cached([edges], 'edges', () => {
      const [numEdges] = edges.shape;
      const values = new Float32Array(4 * Math.ceil(numEdges / 2));
      values.set(read(edges));
      const table = { values, shape: [2 * Math.ceil(numEdges / 2), 2] };
      return { textures: [upload(table)], facts: undefined };
    });
    const program = new EdgeDissimilarityProgram(shape, attributes.metric);
    return [draw(program, [features, ...textures], [numVertices, channels])];
  },
  { exact: true },
);
