import { softplusOf } from './activations.spec.js';
import { SelectiveStep } from './selective_step.js';
import { changed, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';
import type { CaseTensor } from './spec/tensor.js';

export const selectiveStepSpec = defineSpec(SelectiveStep, {
  formula: ({ inputs: { dt, stepBias, x } }) => stepAndDeltaU(dt, stepBias, x),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'softplus by one exp and one logarithm' },
  samples: (random) => {
    const sample = (what: string, dt: CaseTensor) => {
      const { shape } = dt;
      const channels = shape[2];
      return {
        what: `D = ${channels}, ${what}`,
        inputs: { dt, stepBias: random.tensor([channels]), x: random.tensor(shape) },
        withoutGradient: dt.values.length === 0,
      };
    };
    const about = (center: number, spread: number) => () => center + spread * random.normal();
    return [
      ...[1, 3, 4, 9, 33].map((channels) => sample('usual', random.tensor([2, 3, channels]))),
      sample('one token', random.tensor([1, 1, 5])),
      // exp(100) overflows float32, and log(1 + exp(-20)) is 0 if 1 + exp(-20) is rounded first.
      sample('large', random.tensor([1, 3, 4], about(100, 1))),
      sample('small', random.tensor([1, 3, 7], about(-20, 1))),
      sample('of both signs', random.tensor([1, 4, 16], about(0, 6))),
      sample('no texts', random.tensor([0, 4, 3])),
    ];
  },
  faults: {
    'the bias is missing': mapped('stepBias', () => 0),
    'exp overflows': changed('step', (step) => (step > 88 ? Number.POSITIVE_INFINITY : step)),
    // log(1 + e) in float32.
    'small steps are 0': changed('step', (step) => (step < 1 ? Math.log(Math.fround(Math.exp(step))) : step)),
    'x is driven by the step before softplus': changed(
      'deltaU',
      (_, i, { inputs: { dt, stepBias, x } }) => x[i] * (dt[i] + stepBias[i % stepBias.length]),
    ),
    'deltaU is x': changed('deltaU', (_, i, { inputs: { x } }) => x[i]),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const shape = [1, side * side, channels];
      return {
        inputs: {
          dt: random.tensor(shape),
          stepBias: random.tensor([channels]),
          x: random.tensor(shape),
        },
      };
    },
  },
});

/** softplus(dt + stepBias), and that times x. */
export function stepAndDeltaU(
  dt: Values,
  stepBias: Values,
  x: Values,
): { step: Float64Array; deltaU: Float64Array } {
  const step = Float64Array.from(dt, (raw, i) => softplusOf(raw + stepBias[i % stepBias.length]));
  return { step, deltaU: step.map((value, i) => value * x[i]) };
}
