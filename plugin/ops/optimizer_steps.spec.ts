import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from './optimizer_steps.js';
import { always, computing, mapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec } from './spec/spec.js';

/** Sizes around the widths of registers. */
const SHAPES = [[1], [7], [3, 3, 2, 5], [4, 8], [33]];

/** Random tensors of every shape for the named inputs; those in `positive` are squared. */
const samplesOf =
  (names: readonly string[], attributes: readonly Record<string, number | boolean>[], positive = '') =>
  (random: Random) =>
    SHAPES.map((shape, i) => ({
      what: `shape ${shape}`,
      inputs: Object.fromEntries(
        names.map((name) => [
          name,
          random.tensor(shape, () => (name === positive ? random.normal() ** 2 : random.normal())),
        ]),
      ),
      attributes: attributes[i % attributes.length],
    }));

export const adamWStepSpec = defineSpec(AdamWStep, {
  formula: ({ inputs: { value, gradient, m, v }, attributes }) => {
    const { beta1, beta2, epsilon, keep, rate, correction } = attributes;
    const mean = Float64Array.from(m, (old, i) => beta1 * old + (1 - beta1) * gradient[i]);
    const variance = Float64Array.from(v, (old, i) => beta2 * old + (1 - beta2) * gradient[i] ** 2);
    const updated = Float64Array.from(
      value,
      (old, i) => keep * old - (rate * mean[i]) / (correction * Math.sqrt(variance[i]) + epsilon),
    );
    return { updated, mean, variance };
  },
  differentiable: [],
  tolerance: { float32: 1e-6, shader: 1e-5, reason: 'a short chain of products, one root and one quotient' },
  samples: samplesOf(
    ['value', 'gradient', 'm', 'v'],
    [
      { beta1: 0.9, beta2: 0.75, epsilon: 1e-8, keep: 1, rate: 0.1, correction: 1 },
      { beta1: 0.5, beta2: 0.9, epsilon: 0.1, keep: 0.75, rate: 0.5, correction: 3 },
    ],
    'v',
  ),
  faults: {
    'no weight decay': always({ keep: 1 }),
    'the deviation is not corrected': always({ correction: 1 }),
    'no epsilon': always({ epsilon: 0 }),
    'betas are exchanged': (correct) => (args) => {
      const { beta1, beta2 } = args.attributes;
      correct({ ...args, attributes: { ...args.attributes, beta1: beta2, beta2: beta1 } });
    },
  },
});

export const momentumStepSpec = defineSpec(MomentumStep, {
  formula: ({ inputs: { value, gradient, velocity }, attributes: { momentum, decay, rate, nesterov } }) => {
    const decayed = Float64Array.from(value, (old, i) => gradient[i] + decay * old);
    const next = decayed.map((g, i) => momentum * (velocity?.[i] ?? 0) + g);
    const updated = Float64Array.from(
      value,
      (old, i) => old - rate * (nesterov ? decayed[i] + momentum * next[i] : next[i]),
    );
    return { updated, next };
  },
  differentiable: [],
  tolerance: { float32: 1e-6, shader: 1e-5, reason: 'a short chain of products and sums' },
  samples: (random) => {
    const attributes = [
      { momentum: 0.9, decay: 0, rate: 0.1, nesterov: false },
      { momentum: 0.75, decay: 0.5, rate: 0.25, nesterov: true },
    ];
    const [first, ...others] = samplesOf(['value', 'gradient', 'velocity'], attributes)(random);
    const { value, gradient } = first.inputs;
    return [first, ...others, { ...first, what: 'the first step', inputs: { value, gradient } }];
  },
  faults: {
    'no weight decay': always({ decay: 0 }),
    'not Nesterov': always({ nesterov: false }),
    'the velocity is forgotten': without('velocity'),
  },
});

export const squareSumSpec = defineSpec(SquareSum, {
  formula: ({ inputs: { x } }) => ({ y: [Array.from(x).reduce((sum, value) => sum + value ** 2, 0)] }),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'a sum of squares' },
  samples: (random) => [
    ...samplesOf(['x'], [{}])(random),
    // More values than are summed at a time.
    { what: '2500 values', inputs: { x: random.tensor([2500]) }, withoutGradient: true },
  ],
  faults: {
    'the sum of the values': computing(({ inputs: { x } }) => ({
      y: [Array.from(x).reduce((sum, value) => sum + value, 0)],
    })),
  },
});

export const scaleBySpec = defineSpec(ScaleBy, {
  formula: ({ inputs: { x, factor } }) => ({ y: Float64Array.from(x, (value) => value * factor[0]) }),
  tolerance: { float32: 2e-7, shader: 2e-6, reason: 'one product' },
  samples: (random) =>
    SHAPES.map((shape) => ({
      what: `shape ${shape}`,
      inputs: { x: random.tensor(shape), factor: random.tensor([]) },
    })),
  faults: { 'the factor is missing': mapped('factor', () => 1) },
});
