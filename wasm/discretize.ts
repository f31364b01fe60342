/** Discretize on WebAssembly. */
import { Discretize } from '../plugin/ops/discretize.js';
import { registerWasmKernel } from './kernels.js';

/** Of discretize.cc. */
interface Functions {
  discretize(
    rawStep: number,
    stepBias: number,
    logA: number,
    inputGate: number,
    x: number,
    decay: number,
    input: number,
    scratch: number,
    rows: number,
    channels: number,
    states: number,
  ): void;
}

registerWasmKernel<typeof Discretize, Functions>(
  Discretize,
  ({ inputs: { rawStep, stepBias, logA, inputGate, x }, outputs, shapes, functions, scratch }) => {
    const [batch, vertices, channels] = shapes.x;
    const states = shapes.logA[1];
    const space = scratch(4 * channels * (states + 1));
    const { decay, input } = outputs;
    const rows = batch * vertices;
    functions.discretize(rawStep, stepBias, logA, inputGate, x, decay, input, space, rows, channels, states);
  },
);
