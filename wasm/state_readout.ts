/** StateReadout and its gradient on WebAssembly. */
import { StateReadout, StateReadoutGradient } from '../plugin/ops/state_readout.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(StateReadout, ({ inputs, outputs: { y }, shapes, attributes, inParts }) => {
  const [batch, vertices, channels] = shapes.state;
  const [state, outputGate, x, skip, gate, ...vectors] = addressesOf(inputs);
  const at = (address: number, row: number) => address + 4 * row * channels;
  inParts('state_readout', partsOf(batch * vertices, 2 * channels), (row, count) => [
    ...([at(state, row), outputGate + 4 * row, at(x, row), skip, at(gate, row), ...vectors] as const),
    ...([at(y, row), count, channels, attributes.epsilon] as const),
  ]);
});

registerWasmKernel(StateReadoutGradient, ({ inputs, outputs, shapes, attributes, functions, scratch }) => {
  const [batch, vertices, channels] = shapes.state;
  functions.state_readout_gradient(
    ...addressesOf(inputs),
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
});

/** Addresses of the inputs that the op and its gradient share. */
function addressesOf(inputs: Readonly<Record<keyof typeof StateReadout.inputs, number>>) {
  const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
  return [state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta] as const;
}
