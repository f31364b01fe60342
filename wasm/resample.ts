/** Resample on WebAssembly. */
import { Resample } from '../plugin/ops/resample.js';
import { registerWasmKernel } from './kernels.js';

/** Of resample.cc. */
interface Functions {
  resample(
    x: number,
    starts: number,
    terms: number,
    ranges: number,
    weights: number,
    y: number,
    images: number,
    height: number,
    width: number,
    channels: number,
    rows: number,
    columns: number,
    most: number,
  ): void;
}

registerWasmKernel<typeof Resample, Functions>(
  Resample,
  ({ inputs: { x, starts, terms, ranges, weights }, outputs: { y }, shapes, attributes, functions }) => {
    const [, height, width, channels] = shapes.x;
    const [, positions, most] = shapes.weights;
    const { rows } = attributes;
    const sizes = [shapes.starts[0] - 1, height, width, channels, rows, positions - rows, most] as const;
    functions.resample(x, starts, terms, ranges, weights, y, ...sizes);
  },
);
