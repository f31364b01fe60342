/** What optimisers do with every parameter, on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from '../plugin/ops/optimizer_steps.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

/** Of optimizer_steps.cc. */
interface Functions {
  adamw_step(
    value: number,
    gradient: number,
    m: number,
    v: number,
    updated: number,
    mean: number,
    variance: number,
    size: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rest2: number,
    epsilon: number,
    keep: number,
    rate: number,
    correction: number,
  ): void;
  momentum_step(
    value: number,
    gradient: number,
    velocity: number,
    updated: number,
    next: number,
    size: number,
    momentum: number,
    decay: number,
    rate: number,
    nesterov: boolean,
  ): void;
  scale_by(x: number, factor: number, y: number, size: number): void;
  square_sum(x: number, y: number, size: number): void;
}

registerWasmKernel<typeof AdamWStep, Functions>(
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

registerWasmKernel<typeof MomentumStep, Functions>(
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

registerWasmKernel<typeof ScaleBy, Functions>(
  ScaleBy,
  ({ inputs: { x, factor }, outputs: { y }, shapes, functions }) => {
    functions.scale_by(x, factor, y, sizeOf(shapes.x));
  },
);

registerWasmKernel<typeof SquareSum, Functions>(
  SquareSum,
  ({ inputs: { x }, outputs: { y }, shapes, functions }) => {
    functions.square_sum(x, y, sizeOf(shapes.x));
  },
);
