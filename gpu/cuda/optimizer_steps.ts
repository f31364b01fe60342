/** Optimiser steps on every parameter: optimizer_steps.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from '../../plugin/ops/optimizer_steps.js';
import { THREADS } from './backend/kernels/constants.js';
import { Float32, gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

/** Minimum values per thread of SquareSum, and maximum number of blocks, whose sums one block adds. */
const VALUES_OF_THREAD = 8;
const MOST_SUMS = 1024;

const floats = (...values: number[]) => values.map((value) => new Float32(value));

registerCudaKernel(AdamWStep, ({ inputs: { value, gradient, m, v }, outputs, shapes, attributes, call }) => {
  const { updated, mean, variance } = outputs;
  const { beta1, beta2, epsilon, keep, rate, correction } = attributes;
  const size = sizeOf(shapes.value);
  call.launch(
    ...(['adamw_step', gridOf(size), value, gradient, m, v, updated, mean, variance, size] as const),
    ...floats(beta1, 1 - beta1, beta2, 1 - beta2, epsilon, keep, rate, correction),
  );
});

registerCudaKernel(MomentumStep, ({ inputs, outputs: { updated, next }, shapes, attributes, call }) => {
  const { value, gradient, velocity } = inputs;
  const { momentum, decay, rate, nesterov } = attributes;
  const size = sizeOf(shapes.value);
  call.launch(
    ...(['momentum_step', gridOf(size), value, gradient, velocity ?? null, updated, next, size] as const),
    ...floats(momentum, decay, rate),
    Number(nesterov),
  );
});

registerCudaKernel(ScaleBy, ({ inputs: { x, factor }, outputs: { y }, shapes, call }) => {
  const size = sizeOf(shapes.x);
  call.launch('scale_by', gridOf(size), x, factor, y, size);
});

registerCudaKernel(SquareSum, ({ inputs: { x }, outputs: { y }, shapes, call }) => {
  const size = sizeOf(shapes.x);
  const blocks = Math.max(1, Math.min(MOST_SUMS, Math.ceil(size / (THREADS * VALUES_OF_THREAD))));
  const sums = blocks === 1 ? y : call.scratch(4 * blocks);
  call.launch('square_sum', { blocks, threads: THREADS }, x, sums, size, 1);
  if (blocks > 1) call.launch('square_sum', { blocks: 1, threads: THREADS }, sums, y, blocks, 0);
});
