/** Gelu and Silu: activations.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Gelu, Silu } from '../../plugin/ops/activations.js';
import { gridOfFours } from './backend/kernels/unary.js';
import { registerCudaKernel } from './kernels.js';

for (const op of [Gelu, Silu]) {
  registerCudaKernel(op, ({ inputs: { x }, outputs: { y }, call }) => {
    const size = sizeOf(x.shape);
    call.launch(op.name.toLowerCase(), gridOfFours(size), x, y, size);
  });
}
