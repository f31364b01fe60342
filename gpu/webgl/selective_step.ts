/** SelectiveStep in two draws, one for each output. */
import { SelectiveStep } from '../../plugin/ops/selective_step.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';
import { SOFTPLUS } from './programs/softplus.js';

/** softplus(dt + stepBias) over [B, L, D]. */
const stepProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['dt', 'stepBias'],
    functions: SOFTPLUS,
    body: `
      vec4 raw = texelAt(dt, dtTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
      raw += texelAt(stepBias, stepBiasTexShape, at.z / 2).xyxy;
      setOutput(vec4(softplus(raw.x), softplus(raw.y), softplus(raw.z), softplus(raw.w)));
    `,
  });

/** step * x over [B, L, D]. */
const deltaUProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['stepSize', 'x'],
    body: `
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      setOutput(texelAt(stepSize, stepSizeTexShape, index) * texelAt(x, xTexShape, index));
    `,
  });

registerWebglKernel(SelectiveStep, ({ inputs: { dt, stepBias, x }, outputs: [{ shape }], draw }) => {
  const step = draw(stepProgram(shape), [dt, stepBias]);
  return [step, draw(deltaUProgram(shape), [step, x])];
});
