/** EdgeDissimilarity in one draw. The edges are uploaded once per edge list. */
import { EdgeDissimilarity, type Metric, SMALLEST_NORM } from '../../plugin/ops/edge_dissimilarity.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';

/** The terms of two channels u, v of the ends in the sums, and the result. */
const METRICS: Readonly<Record<Metric, { add: string; result: string }>> = {
  cosine: {
    add: 'sums += u * v; squaresU += u * u; squaresV += v * v;',
    result: `-(total(sums) / max(${SMALLEST_NORM}, sqrt(total(squaresU)))) / max(${SMALLEST_NORM}, sqrt(total(squaresV)))`,
  },
  euclidean: { add: 'sums += (u - v) * (u - v);', result: 'total(sums)' },
  manhattan: { add: 'sums += abs(u - v);', result: 'total(sums)' },
};

/**
 * [B, E] dissimilarities, one invocation per edge, from features [B, V, D] and edges [E, 2]. Norms are computed for every
 * edge: this is arithmetic on texels that are read anyway, and saves a draw.
 * @param shape [B, E]
 */
function edgeDissimilarityProgram(shape: readonly number[], metric: Metric): PackedProgram {
  const { add, result } = METRICS[metric];
  return new PackedProgram(shape, {
    inputs: ['features', 'edges'],
    uniforms: { vertices: 'int', channels: 'int' },
    packedOutput: false,
    functions: `
      float total(vec2 partial) {
        return partial.x + partial.y;
      }
    `,
    body: `
      int batch = index / outShape[1];
      int edge = index % outShape[1];
      ivec2 ends = ivec2(rowOf(texelAt(edges, edgesTexShape, edge / 2), edge));
      ivec2 first = placeOf(featuresTexShape, texelIndex(batch, ends.x, 0, vertices, channels));
      ivec2 second = placeOf(featuresTexShape, texelIndex(batch, ends.y, 0, vertices, channels));
      int width = (featuresTexShape[1] + 1) / 2;
      vec2 sums = vec2(0);
      vec2 squaresU = vec2(0);
      vec2 squaresV = vec2(0);
      for (int channel = 0; channel < channels; channel += 2) {
        vec2 u = rowOf(texelFetch(features, first, 0), ends.x);
        vec2 v = rowOf(texelFetch(features, second, 0), ends.y);
        if (channel + 1 == channels) {
          u.y = 0.0;
          v.y = 0.0;
        }
        ${add}
        first = stepFrom(first, ivec2(1, 0), width);
        second = stepFrom(second, ivec2(1, 0), width);
      }
      setOutput(${result});
    `,
  });
}

registerWebglKernel(
  EdgeDissimilarity,
  ({ inputs: { features, edges }, outputs: [{ shape }], attributes, ...kernel }) => {
    const [, numVertices, channels] = features.shape;
    if (channels === 0) return kernel.runOnHost(); // there are no textures without channels
    // A copy, so that the host keeps the edges for the tree that is built from them. A texel is two edges.
    const { textures } = kernel.cached([edges], 'edges', () => {
      const [numEdges] = edges.shape;
      const values = new Float32Array(4 * Math.ceil(numEdges / 2));
      values.set(kernel.read(edges));
      const table = { values, shape: [2 * Math.ceil(numEdges / 2), 2] };
      return { textures: [kernel.upload(table)], facts: undefined };
    });
    const program = edgeDissimilarityProgram(shape, attributes.metric);
    return [kernel.draw(program, [features, ...textures], [numVertices, channels])];
  },
  { exact: true },
);
