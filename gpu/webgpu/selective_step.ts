/** SelectiveStep: one thread per element. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { elements, floats } from './elements.js';
import { SOFTPLUS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';

const takeSteps = elements('SelectiveStep', () => ({
  reads: floats('dt', 'stepBias', 'x'),
  writes: floats('step', 'deltaU'),
  numbers: { channels: 'u32' },
  functions: SOFTPLUS,
  body: `
    let stepSize = softplus(dt[i] + stepBias[i % numbers.channels]);
    step[i] = stepSize;
    deltaU[i] = stepSize * x[i];
  `,
}));

registerWebgpuKernel(SelectiveStep, ({ inputs, outputs, shapes, ...running }) => {
  const numbers = { channels: shapes.stepBias[0] };
  takeSteps(running, { size: sizeOf(shapes.x), bind: { ...inputs, ...outputs }, numbers });
});
