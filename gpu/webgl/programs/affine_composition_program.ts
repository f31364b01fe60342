import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/** GLSL of the ancestor at the distance of a round: in a tree by the layer of its tables, in a chain so much earlier. */
const ANCESTORS = {
  tree: 'treeAt(tree, treeTexShape, layer, at.x, position, outShape[0], length).x',
  chain: 'position - (1 << layer)',
};

/**
 * One round of the down pass by pointer doubling. The state holds, for each vertex, the affine map from the value of its
 * ancestor at distance n = 2^round to its own; composed with that of the ancestor it covers distance 2n. Beyond the root the
 * map is constant, and so is every map in the end. In a chain: W. D. Hillis and G. L. Steele, "Data parallel algorithms",
 * 1986. `layer` is that of the tree's tables, or the round.
 */
export const affineCompositionProgram = (
  shape: readonly number[],
  along: keyof typeof ANCESTORS,
): PackedProgram =>
  new PackedProgram(shape, {
    inputs: along === 'tree' ? ['state', 'tree'] : ['state'],
    uniforms: { layer: 'int' },
    functions: TREE_STATE,
    body: `
      int length = outShape[1] / 2;
      int position = at.y / 2;
      int ancestor = ${ANCESTORS[along]};
      vec4 own = stateAt(state, stateTexShape, at.x, position, at.z, length, outShape[2]);
      if (ancestor < 0) {
        setOutput(vec4(own.xy, 0, 0));
        return;
      }
      vec4 above = stateAt(state, stateTexShape, at.x, ancestor, at.z, length, outShape[2]);
      setOutput(vec4(own.xy + own.zw * above.xy, own.zw * above.zw));
    `,
  });
