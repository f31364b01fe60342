/** SelectiveStep: selective_step.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(SelectiveStep, ({ inputs, outputs: { step, deltaU }, shapes, call }) => {
  const { dt, stepBias, x } = inputs;
  const size = sizeOf(shapes.x);
  call.launch('selective_step', gridOf(size), dt, stepBias, x, step, deltaU, size, shapes.x[2]);
});
