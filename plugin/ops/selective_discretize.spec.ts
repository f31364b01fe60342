import { discretizeSpec } from './discretize.spec.js';
import { linearOf } from './linear.spec.js';
import { SelectiveDiscretize } from './selective_discretize.js';
import { columns } from './selective_split.spec.js';
import { mapped } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';

export const selectiveDiscretizeSpec = defineSpec(SelectiveDiscretize, {
  sumsProducts: true,
  formula: ({ inputs: { x, selection, stepProjection, stepBias, logA }, shapes }) => {
    const [[channels, states], [rank]] = [shapes.logA, shapes.stepProjection];
    const width = rank + 2 * states;
    const selected = linearOf(x, selection, undefined, width);
    const dt = linearOf(columns(selected, width, 0, rank), stepProjection, undefined, channels);
    const inputGate = columns(selected, width, rank, rank + states);
    const { decay, input } = discretizeSpec.formula({
      inputs: { dt, stepBias, logA, inputGate, x },
      shapes: {},
      attributes: {},
    });
    return { decay, input, outputGate: columns(selected, width, rank + states, width) };
  },
  tolerance: { float32: 4e-6, shader: 4e-5, reason: 'two sums of products, softplus and two exps in a row' },
  samples: (random) =>
    [
      { channels: 5, states: 1, rank: 1 },
      { channels: 33, states: 1, rank: 2 },
      { channels: 6, states: 4, rank: 3 },
      { channels: 160, states: 1, rank: 5 },
      { channels: 70, states: 16, rank: 40 },
    ].map(({ channels, states, rank }) => ({
      what: `D = ${channels}, N = ${states}, R = ${rank}`,
      inputs: {
        x: random.tensor([2, 3, channels]),
        selection: random.tensor([channels, rank + 2 * states], () => random.normal() / Math.sqrt(channels)),
        stepProjection: random.tensor([rank, channels], () => random.normal() / Math.sqrt(rank)),
        stepBias: random.tensor([channels]),
        logA: random.tensor([channels, states]),
      },
      withoutGradient: channels > 6,
    })),
  faults: {
    'the bias of the step is missing': mapped('stepBias', () => 0),
    'the last channel does not choose': mapped('selection', (value, i, { shapes }) =>
      i >= (shapes.x[2] - 1) * shapes.selection[1] ? 0 : value,
    ),
  },
});
