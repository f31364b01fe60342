/** CausalConvolution: causal_convolution.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { CausalConvolution } from '../../plugin/ops/causal_convolution.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(CausalConvolution, ({ inputs, outputs: { y, nextPast }, shapes, call }) => {
  const { x, filter, bias, past = null } = inputs;
  const size = sizeOf(y.shape) + sizeOf(nextPast.shape);
  const given = [x, filter, bias, past, y, nextPast] as const;
  call.launch('causal_convolution', gridOf(size), ...given, ...shapes.x, shapes.filter[0]);
});
