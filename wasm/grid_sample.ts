/** GridSample and GridSampleGradient on WebAssembly. */
import { GridSample, GridSampleGradient } from '../plugin/ops/grid_sample.js';
import { registerWasmKernel } from './kernels.js';

/** Images, height, width, channels; positions per image; whether the padding is `border`; whether corners are aligned. */
type Sizes = readonly [number, number, number, number, number, boolean, boolean];

interface Call {
  readonly shapes: { readonly x: readonly number[]; readonly grid: readonly number[] };
  readonly attributes: { readonly padding: string; readonly alignCorners: boolean };
}

function sizesOf({ shapes, attributes: { padding, alignCorners } }: Call): Sizes {
  const [images, height, width, channels] = shapes.x;
  const [, rows, columns] = shapes.grid;
  return [images, height, width, channels, rows * columns, padding === 'border', alignCorners];
}

registerWasmKernel(GridSample, ({ inputs: { x, grid }, outputs: { y }, functions, ...call }) =>
  functions.grid_sample(x, grid, y, ...sizesOf(call)),
);

registerWasmKernel(
  GridSampleGradient,
  ({ inputs: { x, grid, dy }, outputs: { dx, dgrid }, functions, ...call }) =>
    functions.grid_sample_gradient(x, grid, dy, dx, dgrid, ...sizesOf(call)),
);
