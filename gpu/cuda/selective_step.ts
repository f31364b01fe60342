/** SelectiveStep: selective_step.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(SelectiveStep, ({ inputs, outputs: { step, drive }, shapes, call }) => {
  const { rawStep, stepBias, x } = inputs;
  const size = sizeOf(shapes.x);
  call.launch('selective_step', gridOf(size), rawStep, stepBias, x, step, drive, size, shapes.x[2]);
});
