/**
 * EdgeDissimilarity: the dissimilarity of the features at the two ends of each edge. The minimum spanning tree of these
 * weights is the topology of a tree scan (GrootVL, section 3.2).
 */
import {
  abs,
  concat,
  div,
  equal,
  expandDims,
  gather,
  greater,
  max,
  maximum,
  mul,
  neg,
  ones,
  reshape,
  sign,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  type TensorInfo,
  tensor2d,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { edgesInput } from './boruvka_mst.js';
import { defineOp, float32 } from './declare.js';
import { checkVertexIds, trustTree } from './graph_checks.js';
import { readIds, runOp } from './kernels.js';
import { treeScan } from './tree_scan.js';

/** Lower bound of norms in the cosine, so that a zero vector has cosine 0 with every vector. */
export const SMALLEST_NORM = 1e-8;

/** `cosine`: -cos(f_u, f_v). `euclidean`: squared L2 distance. `manhattan`: L1 distance. */
export type Metric = 'cosine' | 'euclidean' | 'manhattan';

const inputs = {
  features: float32(['B', 'V', 'D'], 'features of each vertex'),
  edges: edgesInput,
} as const;

/** The `metric` attribute of ops that compare features. */
export const metricAttribute = {
  type: 'string',
  default: 'cosine',
  oneOf: ['cosine', 'euclidean', 'manhattan'],
  doc: 'cosine: -cos, with norms clamped to at least 1e-8; euclidean: squared L2 distance; manhattan: L1 distance',
} as const;

const attributes = { metric: metricAttribute } as const;

export const EdgeDissimilarity = defineOp({
  name: 'EdgeDissimilarity',
  doc:
    'Dissimilarity of the features at the ends of each edge; smaller means more alike. Bit-identical on every backend ' +
    '(webgl: within 1e-5): sums run in the order stated in plugin/cpu/edge_dissimilarity.ts.',
  inputs,
  attributes,
  outputs: { weights: float32(['B', 'E'], 'dissimilarity of each edge; smaller means more alike') },
  validate: ({ features, edges }, _attributes, read) =>
    checkVertexIds('EdgeDissimilarity', edges, features.shape[1], read),
  gradient: {
    saves: ['features', 'edges'],
    compute: ({ features, edges }, [dy], { metric }) => ({
      features: () => runOp(EdgeDissimilarityGradient, { features, edges, dy }, { metric })[0],
    }),
  },
});

export const EdgeDissimilarityGradient = defineOp({
  name: 'EdgeDissimilarityGradient',
  doc:
    'Gradient of EdgeDissimilarity with respect to the features, given the gradient dy with respect to its output. The ' +
    'Manhattan gradient is 0 for equal features, the cosine gradient for features of norm 0.',
  inputs: {
    ...inputs,
    dy: float32(['B', 'E'], 'gradient with respect to the output of EdgeDissimilarity'),
  },
  attributes,
  outputs: { dfeatures: float32(['B', 'V', 'D'], 'gradient with respect to the features') },
  validate: ({ features, edges }, _attributes, read) =>
    checkVertexIds('EdgeDissimilarityGradient', edges, features.shape[1], read),
  compose: ({ features, edges, dy }, { metric }) => {
    const [batch, numVertices] = features.shape as number[];
    const [numEdges] = edges.shape as number[];
    const read = (tensor: TensorInfo) => readIds('EdgeDissimilarityGradient', tensor);
    checkVertexIds('EdgeDissimilarityGradient', edges, numVertices, read); // kernels do not check them
    if (numEdges === 0) return zerosLike(features);
    const [u, v] = [0, 1].map((end) => reshape(slice(edges, [0, end], [numEdges, 1]), [numEdges]));
    const slopes = SLOPES[metric](features, u, v).map((slope) => mul(slope, expandDims(dy, 2)));
    return sumsOverEnds(concat(slopes, 1), read(edges), batch, numVertices);
  },
});

/** Derivatives of the weights [B, E] with respect to the features at both ends, [B, E, D] each. */
type Slopes = (features: Tensor, u: Tensor, v: Tensor) => readonly [Tensor, Tensor];

const SLOPES: Readonly<Record<Metric, Slopes>> = {
  euclidean: (features, u, v) => {
    const gap = mul(sub(gather(features, u, 1), gather(features, v, 1)), 2);
    return [gap, neg(gap)];
  },
  manhattan: (features, u, v) => {
    const side = sign(sub(gather(features, u, 1), gather(features, v, 1)));
    return [side, neg(side)];
  },
  // For unit vectors a and b: moving a matters only perpendicular to a, scaled by 1 over the norm unless the norm is
  // clamped.
  cosine: (features, u, v) => {
    const norms = sqrt(sum(square(features), 2, true));
    const clamped = maximum(norms, SMALLEST_NORM);
    const units = div(features, clamped);
    const isZero = equal(max(abs(features), 2, true), 0);
    const factors = where(isZero, zerosLike(norms), div(1, clamped));
    const moving = where(greater(norms, SMALLEST_NORM), factors, zerosLike(norms));
    const [a, b] = [gather(units, u, 1), gather(units, v, 1)];
    const cosines = sum(mul(a, b), 2, true);
    const slope = (own: Tensor, other: Tensor, ids: Tensor) =>
      sub(mul(mul(own, cosines), gather(moving, ids, 1)), mul(other, gather(factors, ids, 1)));
    return [slope(a, b, u), slope(b, a, v)];
  },
};

/**
 * Sums the values of edge ends at each vertex: [B, 2E, D], first ends before second ends, to [B, V, D]. A scan of a tree in
 * which the ends are children of their vertices always adds them in the same order, unlike tfjs's own scatter on a GPU.
 */
function sumsOverEnds(values: Tensor, edges: Int32Array, batch: number, numVertices: number): Tensor {
  const [, numEnds, channels] = values.shape as number[];
  const ends = Array.from({ length: numEnds }, (_, i) => i);
  const vertexOf = (end: number) => edges[((2 * end) % numEnds) + Number(2 * end >= numEnds)];
  ends.sort((one, other) => vertexOf(one) - vertexOf(other) || one - other);
  // The root, then the vertices, then the edge ends.
  const size = 1 + numVertices + numEnds;
  const order = new Int32Array(batch * size);
  const parent = new Int32Array(batch * size);
  for (let b = 0; b < batch; b++) {
    for (let v = 0; v <= numVertices; v++) order[b * size + v] = v;
    for (const [i, end] of ends.entries()) {
      order[b * size + 1 + numVertices + i] = 1 + numVertices + end;
      parent[b * size + 1 + numVertices + i] = 1 + vertexOf(end);
    }
  }
  const [orders, parents] = [order, parent].map((ids) => tensor2d(ids, [batch, size], 'int32'));
  trustTree(orders, parents, 0);
  const x = concat([zeros([batch, 1 + numVertices, channels]), values], 1);
  const decay = concat([zeros([batch, 1 + numVertices, 1]), ones([batch, numEnds, 1])], 1);
  const sums = treeScan(x, decay, { order: orders, parent: parents }, { aggregate: 'root' });
  return slice(sums, [0, 1, 0], [batch, numVertices, channels]);
}

/**
 * Weights the edges of a graph by the dissimilarity of the features at their ends. Differentiable in the features; no
 * gradient flows through the choice of a tree.
 *
 * @param features [B, V, D] float32.
 * @param edges [E, 2] int32 vertex ids, for example from {@link gridGraph}.
 * @param options.metric `cosine` (default): -cos(f_u, f_v), each norm clamped from below at 1e-8 before dividing;
 *   `euclidean`: squared L2 distance; `manhattan`: L1 distance. The gradient of the cosine is 0 for features of norm 0, that
 *   of the L1 distance is 0 where both features are equal.
 * @returns [B, E] float32, smaller means more alike.
 * @throws {OpError} if a rank or dtype is wrong, or an edge contains a vertex id outside 0..V-1.
 */
export function edgeDissimilarity(
  features: Tensor,
  edges: Tensor,
  options: { metric?: Metric } = {},
): Tensor2D {
  return runOp(EdgeDissimilarity, { features, edges }, { metric: options.metric })[0] as Tensor2D;
}
