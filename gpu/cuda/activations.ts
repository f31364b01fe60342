/** Gelu and Silu: activations.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Gelu, Silu } from '../../plugin/ops/activations.js';
import { gridOfFours } from './backend/kernels/unary.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(Gelu, ({ inputs: { x }, outputs: { y }, call }) => {
  const size = sizeOf(x.shape);
  call.launch('gelu', gridOfFours(size), x, y, size);
});

registerCudaKernel(Silu, ({ inputs: { x }, outputs: { y }, call }) => {
  const size = sizeOf(x.shape);
  call.launch('silu', gridOfFours(size), x, y, size);
});
