/** ParentDissimilarity and its gradient in plain TypeScript, in float64, rounded once. */
import { type HostArray, registerHostKernel } from '../ops/kernels.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../ops/parent_dissimilarity.js';
import { addSlopes, clamped, cosineOf } from './slopes.js';

/** A group of channels of a vertex and its parent. */
interface EdgeGroup {
  /** Index in [B, V, G]. */
  readonly edge: number;
  /** Indices in [B, V, C] of the first channel of each. */
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
      const { dot, normOfU, normOfV } = cosineOf(features, vertex, parent, size);
      distance[edge] = -dot / (clamped(normOfU) * clamped(normOfV));
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
      addSlopes(sums, { features, u: vertex, v: parent, size, dy: dy[edge], metric });
    }
    dfeatures.set(sums);
  },
);
