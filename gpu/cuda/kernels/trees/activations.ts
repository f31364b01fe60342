/** Gelu and Silu: selective.cu. */
import { Gelu, Silu } from '../../../../plugin/ops/activations.js';
import { registerCudaKernel } from '../../kernels.js';
import { gridOf } from '../../launch.js';
import { sizeOf } from './sizes.js';

registerCudaKernel(Gelu, ({ inputs: { x }, outputs: { y }, call }) => {
  const size = sizeOf(x.shape);
  call.launch('gelu', gridOf(size), x, y, size);
});

registerCudaKernel(Silu, ({ inputs: { x }, outputs: { y }, call }) => {
  const size = sizeOf(x.shape);
  call.launch('silu', gridOf(size), x, y, size);
});
