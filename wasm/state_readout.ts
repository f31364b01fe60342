/** StateReadout and its gradient on WebAssembly. */
import { StateReadout, StateReadoutGradient } from '../plugin/ops/state_readout.js';
import { registerWasmKernel } from './kernels.js';

/** Of state_readout.cc and state_readout_gradient.cc. */
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
  state_readout_gradient(
    state: number,
    outputGate: number,
    x: number,
    skip: number,
    gate: number,
    stateGamma: number,
    stateBeta: number,
    outputGamma: number,
    outputBeta: number,
    dy: number,
    dState: number,
    dOutputGate: number,
    dX: number,
    dSkip: number,
    dGate: number,
    dStateGamma: number,
    dStateBeta: number,
    dOutputGamma: number,
    dOutputBeta: number,
    scratch: number,
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

registerWasmKernel<typeof StateReadoutGradient, Functions>(
  StateReadoutGradient,
  ({ inputs, outputs, shapes, attributes, functions, scratch }) => {
    const [batch, vertices, channels] = shapes.state;
    functions.state_readout_gradient(
      inputs.state,
      inputs.outputGate,
      inputs.x,
      inputs.skip,
      inputs.gate,
      inputs.stateGamma,
      inputs.stateBeta,
      inputs.outputGamma,
      inputs.outputBeta,
      inputs.dy,
      outputs.state,
      outputs.outputGate,
      outputs.x,
      outputs.skip,
      outputs.gate,
      outputs.stateGamma,
      outputs.stateBeta,
      outputs.outputGamma,
      outputs.outputBeta,
      scratch(24 * channels),
      batch * vertices,
      channels,
      attributes.epsilon,
    );
  },
);
