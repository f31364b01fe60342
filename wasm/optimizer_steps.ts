/** AdamWStep and SquareSum on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { AdamWStep, SquareSum } from '../plugin/ops/optimizer_steps.js';
import { registerWasmKernel } from './kernels.js';

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
  square_sum(x: number, y: number, size: number): void;
}

registerWasmKernel<typeof AdamWStep, Functions>(
  AdamWStep,
  ({ inputs: { value, gradient, m, v }, outputs, shapes, attributes, functions }) => {
    const { updated, mean, variance } = outputs;
    const { beta1, beta2, epsilon, keep, rate, correction } = attributes;
    functions.adamw_step(
      ...([value, gradient, m, v, updated, mean, variance, sizeOf(shapes.value)] as const),
      ...([beta1, 1 - beta1, beta2, 1 - beta2, epsilon, keep, rate, correction] as const),
    );
  },
);

registerWasmKernel<typeof SquareSum, Functions>(
  SquareSum,
  ({ inputs: { x }, outputs: { y }, shapes, functions }) => {
    functions.square_sum(x, y, sizeOf(shapes.x));
  },
);
