/** GridSample and GridSampleGradient: grid_sample.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { GridSample, GridSampleGradient } from '../../plugin/ops/grid_sample.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { gridOfRows } from './sizes.js';

interface Call {
  readonly shapes: { readonly x: readonly number[]; readonly grid: readonly number[] };
  readonly attributes: { readonly padding: string; readonly alignCorners: boolean };
}

/** Height, width, channels; positions of an image; whether padding is that of borders; whether corners are aligned. */
function sizesOf({ shapes, attributes: { padding, alignCorners } }: Call): number[] {
  const [, rows, columns] = shapes.grid;
  return [...shapes.x.slice(1), rows * columns, Number(padding === 'border'), Number(alignCorners)];
}

registerCudaKernel(GridSample, ({ inputs: { x, grid }, outputs: { y }, call, ...rest }) => {
  const size = sizeOf(y.shape);
  call.launch('grid_sample', gridOf(size), x, grid, y, size, ...sizesOf(rest));
});

registerCudaKernel(GridSampleGradient, ({ inputs: { x, grid, dy }, outputs, call, ...rest }) => {
  const { dx, dgrid } = outputs;
  call.device.fill(dx.address, 0, sizeOf(dx.shape));
  const count = sizeOf(dgrid.shape) / 2;
  call.launch('grid_sample_gradient', gridOfRows(count), x, grid, dy, dx, dgrid, count, ...sizesOf(rest));
});
