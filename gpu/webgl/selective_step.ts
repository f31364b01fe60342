/** SelectiveStep in two draws, one for each output. */
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { registerWebglKernel } from './kernels.js';
import { DriveProgram, StepProgram } from './programs/selective_step_program.js';

registerWebglKernel(SelectiveStep, ({ inputs: { rawStep, stepBias, x }, outputs: [{ shape }], draw }) => {
  const step = draw(new StepProgram(shape), [rawStep, stepBias]);
  return [step, draw(new DriveProgram(shape), [step, x])];
});
