import { PackedProgram } from '../packed.js';
import { SELECTIVE_STATE } from './selective_start_program.js';
import { TREE_STATE } from './tree_state.js';

/** GLSL: two channels d, d + 1 of the states h (+ treeWeight * s) of token t, for the g-th state of the group. */
function stateOfToken(hasTree: boolean): string {
  return `
    ${TREE_STATE} ${SELECTIVE_STATE}
    vec2 stateOf(int batch, int token, int d, int g, int channels, int batches) {
      int even = evenChannels(channels);
      int columns = groupStates * even;
      int column = g * even + d;
      vec2 value = stateAt(chain, chainTexShape, batch, token, column, length, columns).xy;
      ${
        hasTree
          ? `int position = treeAt(tree, treeTexShape, 0, batch, length - 1 - token, batches, length).y;
             value += treeWeight * stateAt(sums, sumsTexShape, batch, position, column, length, columns).xy;`
          : ''
      }
      return value;
    }
  `;
}

const UNIFORMS = {
  length: 'int',
  states: 'int',
  firstState: 'int',
  groupStates: 'int',
  treeWeight: 'float',
} as const;

interface Parts {
  /** Whether subtree sums are part of the states. */
  readonly hasTree: boolean;
  /** Whether there were earlier groups of states. */
  readonly hasPartial: boolean;
}

function variables(first: string[], { hasTree, hasPartial }: Parts): string[] {
  return ['chain', ...first, ...(hasTree ? ['sums', 'tree'] : []), ...(hasPartial ? ['partial'] : [])];
}

/** GLSL: the result of the earlier groups. */
const PARTIAL = 'texelAt(partial, partialTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]))';

/**
 * y[t, d] = sum over the states n of a group of state[t, d, n] * outputGate[t, n], plus that of the earlier groups.
 * @param shape [B, L, D]
 */
export const selectiveReadoutProgram = (shape: readonly number[], parts: Parts): PackedProgram =>
  new PackedProgram(shape, {
    inputs: variables(['outputGate'], parts),
    uniforms: UNIFORMS,
    functions: `
      ${stateOfToken(parts.hasTree)}
      vec2 readOut(int batch, int token, int d) {
        vec2 total = vec2(0);
        if (token >= length) return total;
        for (int g = 0; g < groupStates; g++) {
          int n = firstState + g;
          int index = texelIndex(batch, token, n, length, states);
          float gate = elementOf(texelAt(outputGate, outputGateTexShape, index), token, n);
          total += gate * stateOf(batch, token, d, g, outShape[2], outShape[0]);
        }
        return total;
      }
    `,
    body: `
      vec4 y = vec4(readOut(at.x, at.y, at.z), readOut(at.x, at.y + 1, at.z));
      setOutput(${parts.hasPartial ? `y + ${PARTIAL}` : 'y'});
    `,
  });

/**
 * The states [B, D, N] of the last token: those of this group, the others from the earlier groups.
 * @param shape [B, D, N]
 */
export const lastStateProgram = (shape: readonly number[], parts: Parts): PackedProgram =>
  new PackedProgram(shape, {
    inputs: variables([], parts),
    uniforms: UNIFORMS,
    functions: stateOfToken(parts.hasTree),
    body: `
      vec4 result = ${parts.hasPartial ? PARTIAL : 'vec4(0)'};
      for (int column = 0; column < 2; column++) {
        int g = at.z + column - firstState;
        if (g < 0 || g >= groupStates) continue;
        vec2 state = stateOf(at.x, length - 1, at.y, g, outShape[1], outShape[0]);
        if (column == 0) result.xz = state;
        else result.yw = state;
      }
      setOutput(result);
    `,
  });
