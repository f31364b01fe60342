import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/**
 * One round of a recurrence along a chain by doubling (W. D. Hillis and G. L. Steele, "Data parallel algorithms", 1986):
 * affine_composition_program.ts where the ancestor at distance n = 2^round is n positions earlier.
 */
export const chainCompositionProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['state'],
    uniforms: { round: 'int' },
    functions: TREE_STATE,
    body: `
      int length = outShape[1] / 2;
      int position = at.y / 2;
      int ancestor = position - (1 << round);
      vec4 own = stateAt(state, stateTexShape, at.x, position, at.z, length, outShape[2]);
      if (ancestor < 0) {
        setOutput(vec4(own.xy, 0, 0));
        return;
      }
      vec4 above = stateAt(state, stateTexShape, at.x, ancestor, at.z, length, outShape[2]);
      setOutput(vec4(own.xy + own.zw * above.xy, own.zw * above.zw));
    `,
  });
