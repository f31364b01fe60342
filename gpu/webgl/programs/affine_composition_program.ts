import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/**
 * One round of the down pass by pointer doubling. The state holds, for each vertex, the affine map from the value of its
 * ancestor at distance n = 2^round to its own; composed with that of the ancestor it covers distance 2n. Beyond the root the
 * map is constant, and so is every map in the end.
 */
export const affineCompositionProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['state', 'tree'],
    uniforms: { layer: 'int' },
    functions: TREE_STATE,
    body: `
      int vertices = outShape[1] / 2;
      int position = at.y / 2;
      int ancestor = treeAt(tree, treeTexShape, layer, at.x, position, outShape[0], vertices).x;
      vec4 own = stateAt(state, stateTexShape, at.x, position, at.z, vertices, outShape[2]);
      if (ancestor < 0) {
        setOutput(vec4(own.xy, 0, 0));
        return;
      }
      vec4 above = stateAt(state, stateTexShape, at.x, ancestor, at.z, vertices, outShape[2]);
      setOutput(vec4(own.xy + own.zw * above.xy, own.zw * above.zw));
    `,
  });
