/** GridSample and GridSampleGradient: grid_sample.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { GridSample, GridSampleGradient } from '../../plugin/ops/grid_sample.js';
import { WARP } from './backend/kernels/constants.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { gridOfRows } from './sizes.js';

interface Call {
  readonly shapes: { readonly x: readonly number[]; readonly grid: readonly number[] };
  readonly attributes: { readonly padding: string; readonly alignCorners: boolean };
}

/** Height, width, channels; positions per image; whether the padding is `border`; whether corners are aligned. */
function sizesOf({ shapes, attributes: { padding, alignCorners } }: Call): number[] {
  const [, rows, columns] = shapes.grid;
  return [...shapes.x.slice(1), rows * columns, Number(padding === 'border'), Number(alignCorners)];
}

registerCudaKernel(GridSample, ({ inputs: { x, grid }, outputs: { y }, call, ...rest }) => {
  const size = sizeOf(y.shape);
  call.launch('grid_sample', gridOf(size), x, grid, y, size, ...sizesOf(rest));
});

registerCudaKernel(GridSampleGradient, ({ inputs: { x, grid, dy }, outputs, shapes, call, ...rest }) => {
  const { dx, dgrid } = outputs;
  const sizes = sizesOf({ shapes, ...rest });
  const positions = sizeOf(dgrid.shape) / 2;
  call.launch('grid_sample_gradient_grid', gridOfRows(positions), x, grid, dy, dgrid, positions, ...sizes);
  call.device.fill(dx.address, 0, sizeOf(dx.shape));
  const [images, height, , channels] = shapes.x;
  const lines = images * height;
  const rows = lines * Math.ceil(channels / WARP);
  call.launch('grid_sample_gradient_x', gridOfRows(rows), grid, dy, dx, lines, ...sizes);
});
