/**
 * ParentDissimilarity in one draw, and its gradient in one, for the cosine in two; the formulas are in plugin/cpu/slopes.ts.
 */
import { type Metric, SMALLEST_NORM } from '../../plugin/ops/edge_dissimilarity.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../../plugin/ops/parent_dissimilarity.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';
import { TREE_STATE } from './programs/tree_state.js';
import { TreePasses } from './tree_passes.js';

/** The term of two channels u, p of the two ends in a sum. */
const TERMS: Readonly<Record<Metric, string>> = {
  cosine: 'u * p',
  euclidean: '(u - p) * (u - p)',
  manhattan: 'abs(u - p)',
};

/** GLSL: sums over the channels of a group: of the terms of both ends, and of the squares of each. */
const sumsOf = (metric: Metric) => `
  vec3 sumsOf(int batch, int vertex, int above, int group, int vertices, int size, int channels) {
    int begin = group * size;
    int end = begin + size;
    vec2 sums = vec2(0);
    vec2 squaresU = vec2(0);
    vec2 squaresP = vec2(0);
    // Texels hold two channels, from an even one on: those of other groups count as 0.
    for (int channel = begin - begin % 2; channel < end; channel += 2) {
      bvec2 inside = bvec2(channel >= begin, channel + 1 < end);
      int atVertex = texelIndex(batch, vertex, channel, vertices, channels);
      int atParent = texelIndex(batch, above, channel, vertices, channels);
      vec2 u = mix(vec2(0), rowOf(texelAt(features, featuresTexShape, atVertex), vertex), inside);
      vec2 p = mix(vec2(0), rowOf(texelAt(features, featuresTexShape, atParent), above), inside);
      sums += ${TERMS[metric]};
      squaresU += u * u;
      squaresP += p * p;
    }
    return vec3(sums.x + sums.y, squaresU.x + squaresU.y, squaresP.x + squaresP.y);
  }

  float inverseNorm(float squares) {
    return 1.0 / max(${SMALLEST_NORM}, sqrt(squares));
  }
`;

const COSINE = 'sums.x * inverseNorm(sums.y) * inverseNorm(sums.z)';

/** [B, V, G] dissimilarities, one invocation per vertex and group, from features [B, V, C]; 0 at the root. */
const parentDissimilarityProgram = (shape: readonly number[], metric: Metric): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['features', 'tree'],
    uniforms: { channels: 'int' },
    packedOutput: false,
    functions: TREE_STATE + sumsOf(metric),
    body: `
      int group = index % outShape[2];
      int vertex = index / outShape[2] % outShape[1];
      int batch = index / outShape[2] / outShape[1];
      int above = treeAt(tree, treeTexShape, 0, batch, vertex, outShape[0], outShape[1]).z;
      if (above < 0) {
        setOutput(0.0);
        return;
      }
      vec3 sums = sumsOf(batch, vertex, above, group, outShape[1], channels / outShape[2], channels);
      setOutput(${metric === 'cosine' ? `-${COSINE}` : 'sums.x'});
    `,
  });

/**
 * [B, 2V, 2G] packed: a texel per vertex and group, with the cosine of its features and its parent's, and the inverse of its
 * norm, 0 where the norm has no gradient.
 */
const parentCosineProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['features', 'tree'],
    uniforms: { channels: 'int' },
    functions: TREE_STATE + sumsOf('cosine'),
    body: `
      int vertex = at.y / 2;
      int vertices = outShape[1] / 2;
      int size = 2 * channels / outShape[2];
      int above = treeAt(tree, treeTexShape, 0, at.x, vertex, outShape[0], vertices).z;
      vec3 sums = sumsOf(at.x, vertex, above < 0 ? vertex : above, at.z / 2, vertices, size, channels);
      setOutput(vec4(${COSINE}, sums.y > 0.0 ? inverseNorm(sums.y) : 0.0, 0, 0));
    `,
  });

/** The contribution of an edge to the gradient of a channel of one end; for the cosine, a clamped norm has no gradient. */
const SLOPES: Readonly<Record<Metric, string>> = {
  cosine: `
    vec2 own = cosineAt(here);
    float along = own.y < ${0.99999 / SMALLEST_NORM}.0 ? cosineAt(edge).x * u * own.y : 0.0;
    return -slope * own.y * (p * cosineAt(there).y - along);
  `,
  euclidean: 'return 2.0 * slope * (u - p);',
  manhattan: 'return slope * sign(u - p);',
};

/**
 * [B, V, C] gradients of the features, one invocation per vertex and channel, which sums over the edges to its parent and to
 * its children.
 * @param shape [B, V, C]
 */
function parentDissimilarityGradientProgram(shape: readonly number[], metric: Metric): PackedProgram {
  const isCosine = metric === 'cosine';
  return new PackedProgram(shape, {
    inputs: ['features', 'dy', 'tree', 'children', ...(isCosine ? ['cosines'] : [])],
    uniforms: { groups: 'int', layer: 'int' },
    packedOutput: false,
    functions: `
      ${TREE_STATE}
      int batch;
      int channel;
      int group;

      float featureAt(int vertex) {
        int index = texelIndex(batch, vertex, channel, outShape[1], outShape[2]);
        return elementOf(texelAt(features, featuresTexShape, index), vertex, channel);
      }

      ${
        isCosine
          ? `vec2 cosineAt(int vertex) {
        int index = texelIndex(batch, 2 * vertex, 2 * group, 2 * outShape[1], 2 * groups);
        return texelAt(cosines, cosinesTexShape, index).xy;
      }`
          : ''
      }

      // edge: the vertex whose edge to its parent it is.
      float slopeOf(float u, float p, int edge, int here, int there) {
        float slope = elementOf(texelAt(dy, dyTexShape, texelIndex(batch, edge, group, outShape[1], groups)), edge, group);
        ${SLOPES[metric]}
      }

      ivec3 treeOf(int i) {
        return treeAt(tree, treeTexShape, 0, batch, i, outShape[0], outShape[1]);
      }
    `,
    body: `
      channel = index % outShape[2];
      group = channel / (outShape[2] / groups);
      int vertex = index / outShape[2] % outShape[1];
      batch = index / outShape[2] / outShape[1];
      ivec3 place = treeOf(vertex);
      float own = featureAt(vertex);
      float sum = 0.0;
      if (place.z >= 0) sum += slopeOf(own, featureAt(place.z), vertex, vertex, place.z);
      ivec3 below = treeAt(children, childrenTexShape, layer, batch, place.y, outShape[0], outShape[1]);
      for (int position = below.y; position < below.z; position++) {
        int child = treeOf(position).x;
        sum += slopeOf(own, featureAt(child), child, vertex, child);
      }
      setOutput(sum);
    `,
  });
}

registerWebglKernel(
  ParentDissimilarity,
  ({ inputs: { features, order, parent }, outputs, attributes: { metric }, runOnHost, ...kernel }) => {
    const [, , channels] = features.shape;
    if (channels === 0) return runOnHost(); // there are no textures without channels
    const { tree } = new TreePasses({ order, parent }, features.shape, { ...kernel, runOnHost });
    return [kernel.draw(parentDissimilarityProgram(outputs[0].shape, metric), [features, tree], [channels])];
  },
  { exact: true },
);

registerWebglKernel(
  ParentDissimilarityGradient,
  ({ inputs, attributes: { metric, groups }, runOnHost, ...kernel }) => {
    const { features, order, parent, dy } = inputs;
    const [batch, numVertices, channels] = features.shape;
    const passes = new TreePasses({ order, parent }, features.shape, { ...kernel, runOnHost });
    // Without edges there is no table of children.
    if (channels === 0 || !passes.children) return runOnHost();
    const { tree } = passes;
    const [children, layer] = passes.children;
    const given = [features, dy, tree, children];
    if (metric === 'cosine') {
      given.push(
        kernel.draw(parentCosineProgram([batch, 2 * numVertices, 2 * groups]), [features, tree], [channels]),
      );
    }
    const program = parentDissimilarityGradientProgram(features.shape, metric);
    return [kernel.draw(program, given, [groups, layer])];
  },
  { exact: true },
);
