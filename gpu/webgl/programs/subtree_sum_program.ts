import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/**
 * One round of the up pass. The state holds, for each vertex, the sum over its descendants at distances below n = 2^round
 * and the product of the n decays above it; the round extends it to 2n. The descendants at distance n are a contiguous
 * range, so no scatter is needed: sum' = sum + sum over the range of product * sum, product' = product * product of the n-th
 * ancestor. An invocation reads its range, at most 24 texels in trees of 56 x 56 images; the root of a star reads all.
 */
export const subtreeSumProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['state', 'tree'],
    uniforms: { layer: 'int' },
    functions: TREE_STATE,
    body: `
      int vertices = outShape[1] / 2;
      int position = at.y / 2;
      ivec3 reach = treeAt(tree, treeTexShape, layer, at.x, position, outShape[0], vertices);
      vec4 own = stateAt(state, stateTexShape, at.x, position, at.z, vertices, outShape[2]);
      vec2 sum = own.xy;
      for (int below = reach.y; below < reach.z; below++) {
        vec4 descendant = stateAt(state, stateTexShape, at.x, below, at.z, vertices, outShape[2]);
        sum += descendant.zw * descendant.xy;
      }
      vec2 product = vec2(0);
      if (reach.x >= 0) {
        product = own.zw * stateAt(state, stateTexShape, at.x, reach.x, at.z, vertices, outShape[2]).zw;
      }
      setOutput(vec4(sum, product));
    `,
  });
