import { LayerNormalization } from './layer_normalization.js';
import { always, computing, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';

export const layerNormalizationSpec = defineSpec(LayerNormalization, {
  formula: ({ inputs: { x, gamma, beta }, attributes: { epsilon } }) => ({
    y: normalized(x, gamma, beta, epsilon),
  }),
  tolerance: { float32: 4e-6, shader: 4e-5, reason: 'mean and variance by sums of C terms, one root' },
  samples: (random) =>
    [
      ...[1, 4, 7, 33].map((channels) => ({ shape: [2, 3, channels], epsilon: random.pick([1e-5, 1e-6]) })),
      { shape: [5], epsilon: 1e-3 },
      { shape: [2, 1, 3, 160], epsilon: 1e-6 },
    ].map(({ shape, epsilon }) => {
      const channels = shape[shape.length - 1];
      return {
        what: shape.length === 3 ? `C = ${channels}` : `shape ${shape}`,
        inputs: {
          x: random.tensor(shape, () => 3 * random.normal()),
          gamma: random.tensor([channels]),
          beta: random.tensor([channels]),
        },
        attributes: { epsilon },
      };
    }),
  faults: {
    'the default epsilon is always used': always({ epsilon: 1e-6 }),
    'the variance is divided by C - 1': computing(({ inputs: { x, gamma, beta }, attributes }) => {
      const scale = Math.sqrt((gamma.length - 1) / gamma.length);
      return {
        y: normalized(
          x,
          gamma.map((g) => g * scale),
          beta,
          attributes.epsilon as number,
        ),
      };
    }),
    'the shift is missing': mapped('beta', () => 0),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: {
        x: random.tensor([1, side * side, channels]),
        gamma: random.tensor([channels]),
        beta: random.tensor([channels]),
      },
    }),
  },
});

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta, row by row. */
export function normalized(x: Values, gamma: Values, beta: Values, epsilon: number): Float64Array {
  const channels = gamma.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += channels) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += x[row + c] / channels;
    let variance = 0;
    for (let c = 0; c < channels; c++) variance += (x[row + c] - mean) ** 2 / channels;
    for (let c = 0; c < channels; c++) {
      y[row + c] = ((x[row + c] - mean) / Math.sqrt(variance + epsilon)) * gamma[c] + beta[c];
    }
  }
  return y;
}
