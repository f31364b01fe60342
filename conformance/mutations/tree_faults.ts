/** Faults of the kernels that weigh edges and choose trees. */
import { edgeWeights, type Metric } from '../oracles/edge_dissimilarity.js';
import { kruskal } from '../oracles/kruskal.js';
import { forEachItem, treeKernel } from './correct_kernels.js';
import { after, before, type Fault, flushed, mapped, toFloat16Precision } from './fault.js';

const tree = (name: string, kernel: Fault['kernel']): Fault => ({ name, op: 'BoruvkaMST', kernel });
const edge = (name: string, kernel: Fault['kernel']): Fault => ({ name, op: 'EdgeDissimilarity', kernel });

/** The right kernel, except that edges at a vanishing vector divide by norms in another way. */
function smallNorms(divide: (dot: number, u: number, v: number) => number): Fault['kernel'] {
  return after(
    'EdgeDissimilarity',
    ({ inputs: { features, edges }, outputs: { weights }, shapes, attributes }) => {
      const [batch, numVertices, channels] = shapes.features;
      const numEdges = shapes.edges[0];
      if (attributes.metric !== 'cosine') return;
      for (let i = 0; i < batch * numEdges; i++) {
        const [b, e] = [Math.floor(i / numEdges), i % numEdges];
        const row = (end: number) => {
          const first = (b * numVertices + edges[2 * e + end]) * channels;
          return features.subarray(first, first + channels);
        };
        const dot = (u: ArrayLike<number>, v: ArrayLike<number>) =>
          Array.from(u).reduce((sum, x, d) => sum + x * v[d], 0);
        const [u, v] = [row(0), row(1)];
        const norms = [Math.sqrt(dot(u, u)), Math.sqrt(dot(v, v))];
        if (Math.min(...norms) < 1e-8) weights[i] = -divide(dot(u, v), norms[0], norms[1]);
      }
    },
  );
}

export const TREE_FAULTS: readonly Fault[] = [
  tree(
    'the last vertex hangs from the root',
    after('BoruvkaMST', ({ outputs: { parent } }) => {
      parent[parent.length - 1] = 0;
    }),
  ),
  tree(
    'parents are vertex ids, not positions',
    after('BoruvkaMST', ({ outputs: { order, parent }, attributes }) => {
      const numVertices = attributes.numVertices as number;
      const positions = parent.slice();
      positions.forEach((position, i) => {
        parent[i] = order[i - (i % numVertices) + position];
      });
    }),
  ),
  tree('ties go to the higher edge index', () =>
    treeKernel((weights, edges, numVertices) => {
      const last = weights.length - 1;
      const turned = Int32Array.from(edges, (_, i) => edges[2 * (last - (i >> 1)) + (i & 1)]);
      return kruskal(weights.slice().reverse(), turned, numVertices)
        .map((e) => last - e)
        .sort();
    }),
  ),
  tree(
    'NaN comes before every number',
    mapped('BoruvkaMST', 'weights', (w) => (Number.isNaN(w) ? -Infinity : w)),
  ),
  tree(
    '-0 comes before +0',
    mapped('BoruvkaMST', 'weights', (w) => (Object.is(w, -0) ? -(2 ** -149) : w)),
  ),
  tree('weights are rounded to float16', mapped('BoruvkaMST', 'weights', toFloat16Precision)),
  tree('denormal weights become 0', mapped('BoruvkaMST', 'weights', flushed)),
  tree(
    'the largest weights are taken',
    mapped('BoruvkaMST', 'weights', (w) => -w),
  ),
  tree(
    'weights are compared as integers',
    mapped('BoruvkaMST', 'weights', (w) => new Uint32Array(Float32Array.of(w).buffer)[0]),
  ),
  tree(
    'the root is always vertex 0',
    before('BoruvkaMST', ({ attributes }) => ({ attributes: { ...attributes, root: 0 } })),
  ),
  tree(
    'chosen edges are not sorted',
    after('BoruvkaMST', ({ outputs: { edgeIndex }, attributes }) => {
      const size = (attributes.numVertices as number) - 1;
      for (let at = 0; at < edgeIndex.length; at += size) edgeIndex.subarray(at, at + size).reverse();
    }),
  ),
  tree(
    'every item of a batch has the first one’s weights',
    mapped('BoruvkaMST', 'weights', (_, i, { inputs, shapes }) => inputs.weights[i % shapes.weights[1]]),
  ),
  edge(
    'norms are not clamped',
    smallNorms((dot, u, v) => dot / u / v),
  ),
  edge(
    'the product of the norms is clamped, not each',
    smallNorms((dot, u, v) => dot / Math.max(u * v, 1e-8)),
  ),
  edge(
    'the sign is missing',
    after('EdgeDissimilarity', ({ outputs }) =>
      outputs.weights.forEach((w, i) => {
        outputs.weights[i] = -w;
      }),
    ),
  ),
  edge('features are rounded to float16', mapped('EdgeDissimilarity', 'features', toFloat16Precision)),
  edge(
    'the last channel is missing',
    mapped('EdgeDissimilarity', 'features', (f, i, { shapes }) =>
      (i + 1) % shapes.features[2] === 0 ? 0 : f,
    ),
  ),
  edge(
    'the metric is always cosine',
    before('EdgeDissimilarity', ({ attributes }) => ({ attributes: { ...attributes, metric: 'cosine' } })),
  ),
  edge(
    'the distance is not squared',
    after('EdgeDissimilarity', ({ outputs: { weights }, attributes }) => {
      if (attributes.metric === 'euclidean') weights.set(weights.map(Math.sqrt));
    }),
  ),
  edge(
    'sums run in another order',
    () => (args) =>
      forEachItem(args, ['features'], (input, output) =>
        output('weights').set(
          edgeWeights(
            input('features'),
            args.inputs.edges,
            args.shapes.features[2],
            args.attributes.metric as Metric,
          ),
        ),
      ),
  ),
];
