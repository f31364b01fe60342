/** Resample on WebAssembly. */
import { Resample } from '../plugin/ops/resample.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(
  Resample,
  ({ inputs: { x, starts, terms, ranges, weights }, outputs: { y }, shapes, attributes, functions }) => {
    const [, height, width, channels] = shapes.x;
    const [, positions, most] = shapes.weights;
    const { rows } = attributes;
    const sizes = [shapes.starts[0] - 1, height, width, channels, rows, positions - rows, most] as const;
    functions.resample(x, starts, terms, ranges, weights, y, ...sizes);
  },
);
