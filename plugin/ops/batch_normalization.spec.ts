import { BatchNormalization } from './batch_normalization.js';
import { always, computing, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';

export const batchNormalizationSpec = defineSpec(BatchNormalization, {
  formula: ({ inputs: { x, gamma, beta }, attributes: { epsilon } }) =>
    normalizedChannels(x, gamma, beta, epsilon),
  gradient: ({ inputs: { x, gamma }, attributes: { epsilon } }, { y: dy }) =>
    channelGradients(x, gamma, dy, epsilon),
  differentiable: ['y'],
  tolerance: { float32: 4e-6, shader: 4e-5, reason: 'mean and variance by sums of N*H*W terms, one root' },
  samples: (random) =>
    [
      ...[1, 4, 7, 33].map((channels) => ({
        shape: [2, 2, 3, channels],
        epsilon: random.pick([1e-5, 1e-3]),
      })),
      { shape: [1, 2, 1, 5], epsilon: 1e-2 },
      // More rows than are summed at a time.
      { shape: [3, 5, 9, 6], epsilon: 1e-5 },
    ].map(({ shape, epsilon }) => {
      const channels = shape[3];
      return {
        what: `shape ${shape}`,
        inputs: {
          x: random.tensor(shape, () => 1 + 3 * random.normal()),
          gamma: random.tensor([channels]),
          beta: random.tensor([channels]),
        },
        attributes: { epsilon },
      };
    }),
  faults: {
    'the default epsilon is always used': always({ epsilon: 1e-5 }),
    'the variance is that of a sample': computing(({ inputs: { x, gamma, beta }, attributes }) => {
      const right = normalizedChannels(x, gamma, beta, attributes.epsilon as number);
      const rows = x.length / gamma.length;
      return { ...right, variance: right.variance.map((value) => (value * rows) / (rows - 1)) };
    }),
    'the scale is missing': mapped('gamma', () => 1),
    'the shift is missing': mapped('beta', () => 0),
  },
});

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each channel. */
function normalizedChannels(x: Values, gamma: Values, beta: Values, epsilon: number) {
  const channels = gamma.length;
  const rows = x.length / channels;
  const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < x.length; i++) mean[i % channels] += x[i] / rows;
  for (let i = 0; i < x.length; i++) variance[i % channels] += (x[i] - mean[i % channels]) ** 2 / rows;
  const y = Float64Array.from(x, (value, i) => {
    const c = i % channels;
    return ((value - mean[c]) / Math.sqrt(variance[c] + epsilon)) * gamma[c] + beta[c];
  });
  return { y, mean, variance };
}

/** The gradients of the sum of dy * y. */
function channelGradients(x: Values, gamma: Values, dy: Values, epsilon: number) {
  const channels = gamma.length;
  const rows = x.length / channels;
  const [ones, zeros] = [new Float64Array(channels).fill(1), new Float64Array(channels)];
  const { y: normalized, variance } = normalizedChannels(x, ones, zeros, epsilon);
  const [dgamma, dbeta] = [new Float64Array(channels), new Float64Array(channels)];
  for (let i = 0; i < x.length; i++) {
    dgamma[i % channels] += dy[i] * normalized[i];
    dbeta[i % channels] += dy[i];
  }
  const dx = normalized.map((value, i) => {
    const c = i % channels;
    const centred = dy[i] - (dbeta[c] + value * dgamma[c]) / rows;
    return (gamma[c] / Math.sqrt(variance[c] + epsilon)) * centred;
  });
  return { x: dx, gamma: dgamma, beta: dbeta };
}
