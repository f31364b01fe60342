import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/** The values of a state by vertex id, [B, V, D]. */
export const scatterStateProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['state', 'tree'],
    functions: `
      ${TREE_STATE}
      vec2 valueOf(int batch, int vertex, int channel) {
        if (vertex >= outShape[1]) return vec2(0);
        int position = treeAt(tree, treeTexShape, 0, batch, vertex, outShape[0], outShape[1]).y;
        return stateAt(state, stateTexShape, batch, position, channel, outShape[1], outShape[2]).xy;
      }
    `,
    body: 'setOutput(vec4(valueOf(at.x, at.y, at.z), valueOf(at.x, at.y + 1, at.z)));',
  });
