import { RootMeanSquareNormalization } from './root_mean_square_normalization.js';
import { always, changed, computing, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';

export const rootMeanSquareNormalizationSpec = defineSpec(RootMeanSquareNormalization, {
  formula: ({ inputs: { x, gamma }, attributes: { epsilon } }) => ({
    y: rootMeanSquareNormalized(x, gamma, epsilon),
  }),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'a sum of C squares, one root' },
  samples: (random) => [
    ...[
      { channels: 1, epsilon: 1e-5, scale: 1 },
      { channels: 4, epsilon: 1e-6, scale: 3 },
      { channels: 7, epsilon: 1e-2, scale: 0.1 },
      { channels: 33, epsilon: 1e-5, scale: 1 },
      { channels: 67, epsilon: 1e-5, scale: 1e15 },
      { channels: 5, epsilon: 1e-5, scale: 1e-6 },
    ].map(({ channels, epsilon, scale }) => ({
      what: `C = ${channels}, x about ${scale}`,
      inputs: {
        x: random.tensor([2, 3, channels], () => scale * random.normal()),
        gamma: random.tensor([channels]),
      },
      attributes: { epsilon },
      // The finite differences use steps of about 1e-3; with one channel, hardly anything but rounding error remains.
      withoutGradient: scale < 0.1 || scale > 10 || channels === 1,
    })),
    // Any rank, and numbers of channels around a warp and above.
    ...[[5], [3, 8], [7, 31], [7, 32], [2, 3, 5, 16], [2, 2, 2, 2, 3], [7, 160], [3, 700]].map((shape) => {
      const channels = shape[shape.length - 1];
      return {
        what: `shape ${shape}, x about 3`,
        inputs: {
          x: random.tensor(shape, () => 3 + random.normal()),
          gamma: random.tensor([channels]),
        },
        attributes: { epsilon: 0.1 },
        withoutGradient: channels > 32,
      };
    }),
    {
      what: 'no rows',
      inputs: { x: random.tensor([0, 3]), gamma: random.tensor([3]) },
      withoutGradient: true,
    },
  ],
  faults: {
    'the default epsilon is always used': always({ epsilon: 1e-5 }),
    'epsilon is added to the root': computing(({ inputs: { x, gamma }, attributes }) => ({
      y: rootMeanSquareNormalized(x, gamma, (attributes.epsilon as number) ** 2),
    })),
    'the mean is taken out': mapped('x', (value, i, { inputs: { x, gamma } }) => {
      const row = x.subarray(i - (i % gamma.length)).subarray(0, gamma.length) as Float32Array;
      return value - row.reduce((sum, each) => sum + each / gamma.length, 0);
    }),
    'the scale is missing': mapped('gamma', () => 1),
    'squares overflow float16': changed('y', (y, i, { inputs: { x } }) => (x[i] ** 2 > 65504 ? 0 : y)),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: { x: random.tensor([1, side * side, channels]), gamma: random.tensor([channels]) },
    }),
  },
});

/** x / sqrt(mean of x^2 + epsilon) * gamma, row by row. */
export function rootMeanSquareNormalized(x: Values, gamma: Values, epsilon: number): Float64Array {
  const channels = gamma.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += channels) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += x[row + c] ** 2;
    const root = Math.sqrt(squares / channels + epsilon);
    for (let c = 0; c < channels; c++) y[row + c] = (x[row + c] / root) * gamma[c];
  }
  return y;
}
