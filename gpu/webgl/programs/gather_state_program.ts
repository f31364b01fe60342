import { PackedProgram } from '../packed.js';
import { GROUPED_DECAY, TREE_STATE } from './tree_state.js';

/**
 * The initial state of a tree pass: (x[v], decay[v]) of the vertex v at each position, with a decay of 0 at the root.
 * @param shape [B, V, D]
 */
export const gatherStateProgram = ([batch, numVertices, channels]: readonly number[]): PackedProgram =>
  new PackedProgram([batch, 2 * numVertices, channels], {
    inputs: ['x', 'decay', 'tree'],
    uniforms: { groups: 'int' },
    functions: TREE_STATE + GROUPED_DECAY,
    body: `
      int vertices = outShape[1] / 2;
      int position = at.y / 2;
      int vertex = treeAt(tree, treeTexShape, 0, at.x, position, outShape[0], vertices).x;
      int index = texelIndex(at.x, vertex, at.z, vertices, outShape[2]);
      vec2 value = rowOf(texelAt(x, xTexShape, index), vertex);
      vec2 weight = vec2(0);
      if (position > 0) {
        weight = decayAt(decay, decayTexShape, at.x, vertex, at.z, vertices, outShape[2], groups);
      }
      setOutput(vec4(value, weight));
    `,
  });
