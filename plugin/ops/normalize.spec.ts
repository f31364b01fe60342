import { Normalize } from './normalize.js';
import { mapped } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec } from './spec/spec.js';

const sample = (random: Random, shape: readonly number[]) => {
  const channels = [shape[shape.length - 1]];
  return {
    x: random.tensor(shape, () => 255 * random.next()),
    mean: random.tensor(channels, () => 100 + 50 * random.next()),
    deviation: random.tensor(channels, () => 30 + 50 * random.next()),
  };
};

export const normalizeSpec = defineSpec(Normalize, {
  formula: ({ inputs: { x, mean, deviation } }) => {
    const channels = mean.length;
    return { y: Float64Array.from(x, (value, i) => (value - mean[i % channels]) / deviation[i % channels]) };
  },
  tolerance: {
    float32: 1e-6,
    shader: 1e-5,
    reason: 'one difference, which cancels at most a few bits, and one quotient',
  },
  samples: (random) =>
    [[1], [3], [1, 5, 7, 3], [2, 4, 4, 1], [3, 2, 5], [9, 4], [2, 3, 33], [2, 3, 0], [0, 3]].map((shape) => ({
      what: `shape ${shape}`,
      inputs: sample(random, shape),
      withoutGradient: shape.includes(0), // sums of tfjs's wasm backend over nothing are undefined
    })),
  faults: {
    'the mean is missing': mapped('mean', () => 0),
    'the deviation is missing': mapped('deviation', () => 1),
  },
  perf: { sample: ({ side, channels }, random) => ({ inputs: sample(random, [1, side, side, channels]) }) },
});
