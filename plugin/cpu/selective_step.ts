/** SelectiveStep in plain TypeScript. */
import { registerHostKernel } from '../ops/kernels.js';
import { SelectiveStep } from '../ops/selective_step.js';

registerHostKernel(SelectiveStep, ({ inputs, outputs }) => {
  const { dt, stepBias, x } = inputs;
  const channels = stepBias.length;
  for (let i = 0; i < x.length; i++) {
    const raw = dt[i] + stepBias[i % channels];
    const step = Math.max(raw, 0) + Math.log1p(Math.exp(-Math.abs(raw)));
    outputs.step[i] = step;
    outputs.deltaU[i] = step * x[i];
  }
});
