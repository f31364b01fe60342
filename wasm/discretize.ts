/** Discretize and its gradient on WebAssembly. */
import { Discretize, DiscretizeGradient } from '../plugin/ops/discretize.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  Discretize,
  ({ inputs: { dt, stepBias, logA, inputGate, x }, outputs: { decay, input }, shapes, inParts, scratch }) => {
    const [batch, vertices, channels] = shapes.x;
    const states = shapes.logA[1];
    const parts = partsOf(batch * vertices, channels * (2 + 2 * states));
    const bytes = 4 * channels * (states + 1);
    const space = scratch(parts.slots * bytes);
    const at = (address: number, row: number, width: number) => address + 4 * row * width;
    inParts('discretize', parts, (row, count, slot) => [
      ...([at(dt, row, channels), stepBias, logA, at(inputGate, row, states), at(x, row, channels)] as const),
      ...([at(decay, row, channels * states), at(input, row, channels * states)] as const),
      ...([space + slot * bytes, count, channels, states] as const),
    ]);
  },
);

registerWasmKernel(DiscretizeGradient, ({ inputs, outputs, shapes, functions, scratch }) => {
  const [batch, vertices, channels] = shapes.x;
  const states = shapes.logA[1];
  functions.discretize_gradient(
    inputs.dt,
    inputs.stepBias,
    inputs.logA,
    inputs.inputGate,
    inputs.x,
    inputs.ddecay,
    inputs.dinput,
    outputs.dt,
    outputs.stepBias,
    outputs.logA,
    outputs.inputGate,
    outputs.x,
    scratch(4 * channels * (2 * states + 3)),
    batch * vertices,
    channels,
    states,
  );
});
