/** SelectiveStep: selective_step.cu. */
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { sizeOf } from './sizes.js';

registerCudaKernel(SelectiveStep, ({ inputs, outputs: { step, drive }, shapes, call }) => {
  const { rawStep, stepBias, x } = inputs;
  const size = sizeOf(shapes.x);
  call.launch('selective_step', gridOf(size), rawStep, stepBias, x, step, drive, size, shapes.x[2]);
});
