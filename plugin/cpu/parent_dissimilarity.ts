/**
 * ParentDissimilarity and its gradient in plain TypeScript, in float64, rounded once.
 *
 * With u the features of a vertex in a group, p those of its parent, |.| norms of at least 1e-8 and dy the gradient of the
 * distance, u is given (p takes the same with u and p swapped):
 *   euclidean: 2 dy (u - p).  manhattan: dy sign(u - p), sign(0) = 0.
 *   cosine: -dy (p / (|u| |p|) - u (u.p) / (|u|^3 |p|)), the second term where the norm of u is not clamped; nothing where
 *   it is 0.
 */
import { SMALLEST_NORM } from '../ops/edge_dissimilarity.js';
import { type HostArray, registerHostKernel } from '../ops/kernels.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../ops/parent_dissimilarity.js';

/** A group of channels of a vertex and of its parent. */
interface EdgeGroup {
  /** Index in [B, V, G]. */
  readonly edge: number;
  /** Indices in [B, V, C] of the first channel of both. */
  readonly vertex: number;
  readonly parent: number;
  /** Channels of the group. */
  readonly size: number;
}

function* edgeGroups(
  { order, parent }: { readonly order: HostArray; readonly parent: HostArray },
  [batch, numVertices, channels]: readonly number[],
  groups: number,
): Generator<EdgeGroup> {
  const size = channels / groups;
  for (let first = 0; first < batch * numVertices; first += numVertices) {
    for (let position = 1; position < numVertices; position++) {
      const v = first + order[first + position];
      const p = first + order[first + parent[first + position]];
      for (let g = 0; g < groups; g++) {
        yield {
          edge: v * groups + g,
          vertex: v * channels + g * size,
          parent: p * channels + g * size,
          size,
        };
      }
    }
  }
}

registerHostKernel(ParentDissimilarity, ({ inputs, outputs: { distance }, shapes, attributes }) => {
  const { features } = inputs;
  const { metric, groups } = attributes;
  for (const { edge, vertex, parent, size } of edgeGroups(inputs, shapes.features, groups)) {
    if (metric === 'cosine') {
      const { dot, normOfVertex, normOfParent } = cosineOf(features, vertex, parent, size);
      distance[edge] = -dot / (clamped(normOfVertex) * clamped(normOfParent));
      continue;
    }
    let sum = 0;
    for (let i = 0; i < size; i++) {
      const gap = features[vertex + i] - features[parent + i];
      sum += metric === 'euclidean' ? gap * gap : Math.abs(gap);
    }
    distance[edge] = sum;
  }
});

registerHostKernel(
  ParentDissimilarityGradient,
  ({ inputs, outputs: { dfeatures }, shapes, attributes: { metric, groups } }) => {
    const { features, dy } = inputs;
    const sums = new Float64Array(dfeatures.length);
    for (const { edge, vertex, parent, size } of edgeGroups(inputs, shapes.features, groups)) {
      if (metric === 'cosine') {
        const { dot, normOfVertex, normOfParent } = cosineOf(features, vertex, parent, size);
        const scale = dy[edge] / (clamped(normOfVertex) * clamped(normOfParent));
        const addTo = (u: number, normOfU: number, p: number) => {
          if (normOfU === 0) return;
          const along = normOfU > SMALLEST_NORM ? dot / (normOfU * normOfU) : 0;
          for (let i = 0; i < size; i++) sums[u + i] -= scale * (features[p + i] - features[u + i] * along);
        };
        addTo(vertex, normOfVertex, parent);
        addTo(parent, normOfParent, vertex);
        continue;
      }
      for (let i = 0; i < size; i++) {
        const gap = features[vertex + i] - features[parent + i];
        const slope = dy[edge] * (metric === 'euclidean' ? 2 * gap : Math.sign(gap));
        sums[vertex + i] += slope;
        sums[parent + i] -= slope;
      }
    }
    dfeatures.set(sums);
  },
);

const clamped = (norm: number): number => Math.max(SMALLEST_NORM, norm);

function cosineOf(features: ArrayLike<number>, vertex: number, parent: number, size: number) {
  let [dot, squaresOfVertex, squaresOfParent] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const [u, p] = [features[vertex + i], features[parent + i]];
    dot += u * p;
    squaresOfVertex += u * u;
    squaresOfParent += p * p;
  }
  return { dot, normOfVertex: Math.sqrt(squaresOfVertex), normOfParent: Math.sqrt(squaresOfParent) };
}
