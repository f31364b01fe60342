import { PackedProgram } from '../packed.js';
import { TREE_STATE } from './tree_state.js';

/**
 * The layout of the states of selective scans: a tree state (tree_state.ts) whose columns are those of a group of the N
 * states of every channel, column g * D' + d for state first + g of channel d, with D' = D rounded up to an even number, so
 * that two channels of one state share a texel.
 */
export const SELECTIVE_STATE = `
  int evenChannels(int channels) {
    return (channels + 1) / 2 * 2;
  }
`;

/** Which states of every channel are scanned together. */
export interface StateGroup {
  readonly first: number;
  readonly count: number;
}

/** The shape of the states of one group, for step [B, L, D]. */
export function selectiveStateShape(
  [batch, length, channels]: readonly number[],
  { count }: StateGroup,
): number[] {
  return [batch, 2 * length, count * 2 * Math.ceil(channels / 2)];
}

/** The differences between the recurrence along the text and the subtree sums of its reversed tree. */
const ORDERS = {
  chain: {
    variables: [],
    token: 'int token = at.y / 2; int edge = token;',
  },
  // Vertex v is token L - 1 - v; the edge from a vertex to its parent carries the decay of the following token.
  tree: {
    variables: ['tree'],
    token: `
      int token = length - 1 - treeAt(tree, treeTexShape, 0, at.x, at.y / 2, outShape[0], length).x;
      int edge = min(token + 1, length - 1);`,
  },
};

/**
 * The initial state of a selective scan: (inputScale * deltaU * inputGate, exp(-exp(logA) * step)) of every token or, for a
 * tree, of the token at every breadth-first position; decay 0 at the first. With `hasState`, the value of the first token
 * includes the state before it.
 */
export function selectiveStartProgram(
  shape: readonly number[],
  order: keyof typeof ORDERS,
  hasState: boolean,
): PackedProgram {
  const { variables, token } = ORDERS[order];
  return new PackedProgram(shape, {
    inputs: ['step', 'deltaU', 'logA', 'inputGate', ...variables, ...(hasState ? ['state'] : [])],
    uniforms: { channels: 'int', states: 'int', firstState: 'int', inputScale: 'float' },
    functions: `
      ${SELECTIVE_STATE} ${variables.length > 0 ? TREE_STATE : ''}
    `,
    body: `
      int length = outShape[1] / 2;
      int even = evenChannels(channels);
      int d = at.z % even;
      int n = firstState + at.z / even;
      ${token}

      vec4 logRates = texelAt(logA, logATexShape, texelIndex(0, d, n, channels, states));
      vec2 rate = exp(vec2(elementOf(logRates, 0, n), elementOf(logRates, 1, n)));
      vec2 stepSize = rowOf(texelAt(step, stepTexShape, texelIndex(at.x, edge, d, length, channels)), edge);
      vec2 decay = exp(-rate * stepSize);

      vec2 driven = rowOf(texelAt(deltaU, deltaUTexShape, texelIndex(at.x, token, d, length, channels)), token);
      int gateIndex = texelIndex(at.x, token, n, length, states);
      float gate = elementOf(texelAt(inputGate, inputGateTexShape, gateIndex), token, n);
      vec2 value = inputScale * driven * gate;
      ${
        hasState
          ? `if (token == 0) {
              vec4 before = texelAt(state, stateTexShape, texelIndex(at.x, d, n, channels, states));
              value += decay * vec2(elementOf(before, 0, n), elementOf(before, 1, n));
            }`
          : ''
      }
      setOutput(vec4(value, at.y == 0 ? vec2(0) : decay));
    `,
  });
}
