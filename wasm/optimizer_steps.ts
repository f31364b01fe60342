/** Optimiser steps on every parameter, on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from '../plugin/ops/optimizer_steps.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  AdamWStep,
  ({ inputs: { value, gradient, m, v }, outputs, shapes, attributes, inParts }) => {
    const { updated, mean, variance } = outputs;
    const { beta1, beta2, epsilon, keep, rate, correction } = attributes;
    inParts('adamw_step', partsOf(sizeOf(shapes.value), 2), (first, count) => [
      ...([value + 4 * first, gradient + 4 * first, m + 4 * first, v + 4 * first] as const),
      ...([updated + 4 * first, mean + 4 * first, variance + 4 * first, count] as const),
      ...([beta1, 1 - beta1, beta2, 1 - beta2, epsilon, keep, rate, correction] as const),
    ]);
  },
);

registerWasmKernel(
  MomentumStep,
  ({ inputs: { value, gradient, velocity }, outputs: { updated, next }, shapes, attributes, functions }) => {
    const { momentum, decay, rate, nesterov } = attributes;
    const size = sizeOf(shapes.value);
    functions.momentum_step(
      ...([value, gradient, velocity, updated, next, size] as const),
      ...([momentum, decay, rate, nesterov] as const),
    );
  },
);

registerWasmKernel(ScaleBy, ({ inputs: { x, factor }, outputs: { y }, shapes, functions }) => {
  functions.scale_by(x, factor, y, sizeOf(shapes.x));
});

registerWasmKernel(SquareSum, ({ inputs: { x }, outputs: { y }, shapes, functions }) => {
  functions.square_sum(x, y, sizeOf(shapes.x));
});
