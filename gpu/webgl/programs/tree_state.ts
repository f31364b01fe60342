/**
 * The state of a tree pass: [B, 2V, D] packed, by breadth-first position i. The texel at row 2i holds two channels of a
 * value and, below them, of a product of decays, so that one draw updates both.
 */

/** GLSL: reads a state, and the tables of tree_tables.ts. */
export const TREE_STATE = `
  vec4 stateAt(sampler2D state, ivec2 texShape, int batch, int position, int channel, int vertices, int channels) {
    return texelAt(state, texShape, texelIndex(batch, 2 * position, channel, 2 * vertices, channels));
  }

  ivec3 treeAt(sampler2D tree, ivec2 texShape, int layer, int batch, int i, int batches, int vertices) {
    vec4 entry = texelAt(tree, texShape, texelIndex(layer, 2 * batch, 2 * i, 2 * batches, 2 * vertices));
    return ivec3(entry.xyz);
  }
`;

/** GLSL: the decays of two adjacent channels of a vertex, from [B, V, groups]: adjacent channels share a decay. */
export const GROUPED_DECAY = `
  vec2 decayAt(
    sampler2D decay, ivec2 texShape, int batch, int vertex, int channel, int vertices, int channels, int groups
  ) {
    int width = channels / groups;
    int first = channel / width;
    vec4 texel = texelAt(decay, texShape, texelIndex(batch, vertex, first, vertices, groups));
    if (width == 1) return rowOf(texel, vertex);
    int second = min(channel + 1, channels - 1) / width;
    vec4 next = texelAt(decay, texShape, texelIndex(batch, vertex, second, vertices, groups));
    return vec2(elementOf(texel, vertex, first), elementOf(next, vertex, second));
  }
`;
