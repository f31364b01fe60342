/** StateReadout on WebAssembly. */
import { StateReadout } from '../plugin/ops/state_readout.js';
import { registerWasmKernel } from './kernels.js';

/** Of state_readout.cc. */
interface Functions {
  state_readout(
    state: number,
    outputGate: number,
    x: number,
    skip: number,
    gate: number,
    stateGamma: number,
    stateBeta: number,
    outputGamma: number,
    outputBeta: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
}

registerWasmKernel<typeof StateReadout, Functions>(
  StateReadout,
  ({ inputs, outputs, shapes, attributes, functions }) => {
    const [batch, vertices, channels] = shapes.state;
    functions.state_readout(
      inputs.state,
      inputs.outputGate,
      inputs.x,
      inputs.skip,
      inputs.gate,
      inputs.stateGamma,
      inputs.stateBeta,
      inputs.outputGamma,
      inputs.outputBeta,
      outputs.y,
      batch * vertices,
      channels,
      attributes.epsilon,
    );
  },
);
