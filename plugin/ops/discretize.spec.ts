import { softplusOf } from './activations.spec.js';
import { Discretize } from './discretize.js';
import { mapped } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';

export const discretizeSpec = defineSpec(Discretize, {
  formula: ({ inputs: { dt, stepBias, logA, inputGate, x } }) => {
    const channels = stepBias.length;
    const states = logA.length / channels;
    const decay = new Float64Array(x.length * states);
    const input = new Float64Array(x.length * states);
    for (let i = 0; i < x.length; i++) {
      const [row, d] = [Math.floor(i / channels), i % channels];
      const step = softplusOf(dt[i] + stepBias[d]);
      for (let n = 0; n < states; n++) {
        decay[i * states + n] = Math.exp(-Math.exp(logA[d * states + n]) * step);
        input[i * states + n] = step * inputGate[row * states + n] * x[i];
      }
    }
    return { decay, input };
  },
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'softplus and two exps in a row' },
  samples: (random) =>
    [
      { channels: 5, states: 1, scale: 2 },
      { channels: 3, states: 4, scale: 2 },
      { channels: 8, states: 2, scale: 2 },
      { channels: 5, states: 16, scale: 2 },
      // Cases in which softplus equals its argument, and in which it is 0 in float32.
      { channels: 7, states: 1, scale: 100 },
    ].map(({ channels, states, scale }) => ({
      what: `D = ${channels}, N = ${states}${scale > 2 ? `, steps about ${scale}` : ''}`,
      inputs: {
        dt: random.tensor([2, 3, channels], () => scale * random.normal()),
        stepBias: random.tensor([channels]),
        logA: random.tensor([channels, states]),
        inputGate: random.tensor([2, 3, states]),
        x: random.tensor([2, 3, channels]),
      },
      withoutGradient: scale > 2,
    })),
  faults: {
    'the bias of the step is missing': mapped('stepBias', () => 0),
    'states are laid out before channels': mapped('logA', (_, i, { inputs: { logA }, shapes }) => {
      const [channels, states] = shapes.logA;
      return logA[(i % channels) * states + Math.floor(i / channels)];
    }),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const shape = [1, side * side, channels];
      return {
        inputs: {
          dt: random.tensor(shape),
          stepBias: random.tensor([channels]),
          logA: random.tensor([channels, 1]),
          inputGate: random.tensor([1, side * side, 1]),
          x: random.tensor(shape),
        },
      };
    },
  },
});
