/** StateReadout in four draws: two normalisations, the first used by what is mixed, the second by what is gated. */
import { StateReadout } from '../../plugin/ops/state_readout.js';
import { registerWebglKernel } from './kernels.js';
import { MixedStateProgram } from './programs/mixed_state_program.js';
import { MomentsProgram } from './programs/moments_program.js';
import { NormalizeProgram } from './programs/normalize_program.js';

registerWebglKernel(StateReadout, ({ inputs, attributes, draw }) => {
  const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
  const { shape } = state;
  const moments = [shape[2], attributes.epsilon];
  const ofState = draw(new MomentsProgram(shape), [state], moments);
  const mixed = draw(new MixedStateProgram(shape), [
    state,
    ofState,
    stateGamma,
    stateBeta,
    outputGate,
    skip,
    x,
  ]);
  const ofMixed = draw(new MomentsProgram(shape), [mixed], moments);
  const readout = new NormalizeProgram(shape, { gated: true });
  return [draw(readout, [mixed, ofMixed, outputGamma, outputBeta, gate])];
});
