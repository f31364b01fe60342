/** Resample: resample.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Resample } from '../../plugin/ops/resample.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(Resample, ({ inputs, outputs: { y }, shapes, attributes: { rows }, call }) => {
  const { x, starts, terms, ranges, weights } = inputs;
  const [, height, width, channels] = shapes.x;
  const [, positions, most] = shapes.weights;
  const size = sizeOf(y.shape);
  const sizes = [size, height, width, channels, rows, positions - rows, most];
  call.launch('resample', gridOf(size), x, starts, terms, ranges, weights, y, ...sizes);
});
