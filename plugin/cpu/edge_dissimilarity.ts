/**
 * EdgeDissimilarity and its gradient in plain TypeScript.
 *
 * The order of summation is the same on every backend, so that weights, and therefore trees, are the same bit for bit:
 * channel d is added to the partial sum d mod 8, in ascending d; then the upper half of the partial sums is added to the
 * lower half, 8 -> 4 -> 2 -> 1. Every product and sum is rounded to float32; no fused multiply-add. Eight partial sums are
 * two SIMD registers.
 *
 * The last step of the cosine is in float64 and rounded once: dot / (sqrt(squares_u) * sqrt(squares_v)). Equal features then
 * have a weight of exactly -1, so that ties of the input remain ties and are not decided by rounding.
 */
import { EdgeDissimilarity, EdgeDissimilarityGradient, SMALLEST_NORM } from '../ops/edge_dissimilarity.js';
import { registerHostKernel } from '../ops/kernels.js';
import { addSlopes } from './slopes.js';

const LANES = 8;
const { fround, sqrt, max, abs } = Math;

registerHostKernel(EdgeDissimilarity, ({ inputs, outputs, shapes, attributes }) => {
  const { features, edges } = inputs;
  const { weights } = outputs;
  const [batch, numVertices, channels] = shapes.features;
  const [numEdges] = shapes.edges;
  const term = TERMS[attributes.metric as keyof typeof TERMS];

  for (let b = 0; b < batch; b++) {
    const row = (vertex: number) => (b * numVertices + vertex) * channels;
    const norms = new Float64Array(attributes.metric === 'cosine' ? numVertices : 0);
    for (let v = 0; v < norms.length; v++) {
      norms[v] = max(SMALLEST_NORM, sqrt(sum(TERMS.cosine, features, row(v), row(v), channels)));
    }
    for (let e = 0; e < numEdges; e++) {
      const u = edges[2 * e];
      const v = edges[2 * e + 1];
      const total = sum(term, features, row(u), row(v), channels);
      weights[b * numEdges + e] = attributes.metric === 'cosine' ? -total / (norms[u] * norms[v]) : total;
    }
  }
});

registerHostKernel(
  EdgeDissimilarityGradient,
  ({ inputs: { features, edges, dy }, outputs: { dfeatures }, shapes, attributes: { metric } }) => {
    const [batch, numVertices, channels] = shapes.features;
    const [numEdges] = shapes.edges;
    const sums = new Float64Array(dfeatures.length);
    for (let b = 0; b < batch; b++) {
      for (let e = 0; e < numEdges; e++) {
        const [u, v] = [edges[2 * e], edges[2 * e + 1]].map((id) => (b * numVertices + id) * channels);
        addSlopes(sums, { features, u, v, size: channels, dy: dy[b * numEdges + e], metric });
      }
    }
    dfeatures.set(sums);
  },
);

/** The term of a channel in the sum of an edge, in float32 arithmetic. */
const TERMS = {
  cosine: (a: number, b: number) => fround(a * b),
  euclidean: (a: number, b: number) => fround(fround(a - b) * fround(a - b)),
  manhattan: (a: number, b: number) => abs(fround(a - b)),
};

const partial = new Float32Array(LANES);

function sum(
  term: (a: number, b: number) => number,
  values: ArrayLike<number>,
  u: number,
  v: number,
  channels: number,
): number {
  partial.fill(0);
  for (let d = 0; d < channels; d++) partial[d % LANES] += term(values[u + d], values[v + d]);
  for (let half = LANES / 2; half >= 1; half /= 2) {
    for (let lane = 0; lane < half; lane++) partial[lane] += partial[lane + half];
  }
  return partial[0];
}
