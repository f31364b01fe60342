/** SelectiveStep on WebAssembly. */
import { SelectiveStep } from '../plugin/ops/selective_step.js';
import { registerWasmKernel } from './kernels.js';

/** Of selective_step.cc. */
export interface SelectiveStepFunctions {
  selective_step(
    rawStep: number,
    stepBias: number,
    x: number,
    step: number,
    drive: number,
    rows: number,
    channels: number,
  ): void;
}

registerWasmKernel<typeof SelectiveStep, SelectiveStepFunctions>(
  SelectiveStep,
  ({ inputs: { rawStep, stepBias, x }, outputs: { step, drive }, shapes, functions }) => {
    const [batch, length, channels] = shapes.x;
    functions.selective_step(rawStep, stepBias, x, step, drive, batch * length, channels);
  },
);
