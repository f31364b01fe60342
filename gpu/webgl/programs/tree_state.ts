/**
 * The state of a tree pass: [B, 2V, D] packed, by breadth-first position i. The texel at row 2i holds two channels of
 * a value and, below them, of a product of decays, so that one draw moves both on.
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

/** The shape of the state of a scan over [B, V, D]. */
export function stateShape([batch, numVertices, channels]: readonly number[]): number[] {
  return [batch, 2 * numVertices, channels];
}
