/**
 * StateReadout in four draws: two normalisations, the first applied when states and skip are added, the second with the
 * gate.
 */
import { StateReadout } from '../../plugin/ops/state_readout.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';
import { momentsProgram } from './programs/moments_program.js';
import { NORMALIZE, normalizeProgram } from './programs/normalize_program.js';

/** normalised state * outputGate + skip * x, over [B, V, D], with outputGate [B, V, 1]. */
const mixedStateProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['state', 'moments', 'gamma', 'beta', 'outputGate', 'skip', 'x'],
    functions: NORMALIZE,
    body: `
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      vec4 read = normalized(texelAt(state, stateTexShape, index), at);
      vec4 gate = texelAt(outputGate, outputGateTexShape, texelIndex(at.x, at.y, 0, outShape[1], 1));
      vec4 past = texelAt(skip, skipTexShape, at.z / 2).xyxy * texelAt(x, xTexShape, index);
      setOutput(read * gate.xxzz + past);
    `,
  });

registerWebglKernel(StateReadout, ({ inputs, attributes, draw }) => {
  const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
  const { shape } = state;
  const moments = [shape[2], attributes.epsilon];
  const ofState = draw(momentsProgram(shape), [state], moments);
  const mixed = draw(mixedStateProgram(shape), [state, ofState, stateGamma, stateBeta, outputGate, skip, x]);
  const ofMixed = draw(momentsProgram(shape), [mixed], moments);
  return [draw(normalizeProgram(shape, true), [mixed, ofMixed, outputGamma, outputBeta, gate])];
});
