import { convolved } from './causal_convolution.spec.js';
import { linearOf } from './linear.spec.js';
import { rootMeanSquareNormalized } from './root_mean_square_normalization.spec.js';
import { SelectiveLayer } from './selective_layer.js';
import { describeScan, type ScanSizes, scanOf } from './selective_scan.spec.js';
import { columns } from './selective_split.spec.js';
import { stepAndDeltaU } from './selective_step.spec.js';
import { always, changed, mapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec } from './spec/spec.js';

export const selectiveLayerSpec = defineSpec(SelectiveLayer, {
  sumsProducts: true,
  formula: ({ inputs, shapes, attributes: { epsilon, inputScale } }) => {
    const { x, state, past, gamma, filter, filterBias, stepBias, logA, skip, ...rest } = inputs;
    const { inputProjection, inputBias, selection, stepProjection, outputProjection, outputBias } = rest;
    const [batch, length] = shapes.x;
    const [channels, states] = shapes.logA;

    const normalized = rootMeanSquareNormalized(x, gamma, epsilon);
    const projected = (first: number, activation: string) => {
      const used = [first, first + channels] as const;
      return linearOf(normalized, inputProjection, inputBias, 2 * channels, activation, used);
    };
    const shape = [batch, length, channels];
    const { y: u, nextPast } = convolved(projected(0, 'none'), filter, filterBias, past, shape);

    const width = shapes.selection[1];
    const rank = width - 2 * states;
    const selected = linearOf(u, selection, undefined, width);
    const dt = linearOf(columns(selected, width, 0, rank), stepProjection, undefined, channels);
    const inputGate = columns(selected, width, rank, rank + states);
    const outputGate = columns(selected, width, rank + states, width);
    const { y: scanned, nextState } = scanOf(
      { ...stepAndDeltaU(dt, stepBias, u), logA, inputGate, outputGate },
      { batch, length, channels, states },
      { state, inputScale },
    );

    const gate = projected(channels, 'silu');
    const gated = scanned.map((value, i) => (value + skip[i % channels] * u[i]) * gate[i]);
    const mixed = linearOf(gated, outputProjection, outputBias, gamma.length);
    return { y: mixed.map((value, i) => x[i] + value), nextState, nextPast };
  },
  tolerance: { float32: 4e-6, shader: 4e-5, reason: 'the ops of a layer in a row' },
  samples: (random) =>
    [
      { batch: 1, length: 1, hidden: 4, channels: 8, states: 16, rank: 1, kernelSize: 4, biases: false },
      { batch: 2, length: 1, hidden: 5, channels: 9, states: 3, rank: 2, kernelSize: 4, biases: true },
      { batch: 2, length: 6, hidden: 9, channels: 17, states: 1, rank: 3, kernelSize: 2, biases: false },
      { batch: 1, length: 1, hidden: 1, channels: 1, states: 1, rank: 1, kernelSize: 1, biases: true },
      { batch: 1, length: 3, hidden: 8, channels: 16, states: 2, rank: 4, kernelSize: 3, biases: true },
      { batch: 1, length: 4, hidden: 7, channels: 6, states: 5, rank: 2, kernelSize: 1, biases: false },
      { batch: 2, length: 5, hidden: 19, channels: 21, states: 9, rank: 5, kernelSize: 4, biases: true },
    ].map((sizes) => ({
      what: `${describeScan(sizes)}, H = ${sizes.hidden}${sizes.biases ? ', biases' : ''}`,
      inputs: layerInputs(random, sizes),
      attributes: { epsilon: 1e-3, inputScale: 1.3 },
      withoutGradient: sizes.batch * sizes.length * sizes.channels > 20,
    })),
  faults: {
    'x is not added again': changed('y', (y, i, { inputs: { x } }) => y - x[i]),
    'the past is left out': mapped('past', () => 0),
    'the biases are left out': without('inputBias', 'outputBias'),
    'the default epsilon is always used': always({ epsilon: 1e-5 }),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const hidden = channels / 2;
      const widths = {
        hidden,
        channels,
        states: 16,
        rank: Math.ceil(hidden / 16),
        kernelSize: 4,
        biases: false,
      };
      return { inputs: layerInputs(random, { batch: 1, length: side * side, ...widths }) };
    },
  },
});

interface LayerSizes extends ScanSizes {
  readonly hidden: number;
  readonly rank: number;
  readonly kernelSize: number;
  readonly biases: boolean;
}

function layerInputs(random: Random, sizes: LayerSizes) {
  const { batch, length, hidden, channels, states, rank, kernelSize, biases } = sizes;
  const matrix = (rows: number, width: number) =>
    random.tensor([rows, width], () => random.normal() / Math.sqrt(rows));
  return {
    x: random.tensor([batch, length, hidden]),
    state: random.tensor([batch, channels, states]),
    past: random.tensor([batch, kernelSize - 1, channels]),
    gamma: random.tensor([hidden]),
    inputProjection: matrix(hidden, 2 * channels),
    filter: random.tensor([kernelSize, channels]),
    filterBias: random.tensor([channels]),
    selection: matrix(channels, rank + 2 * states),
    stepProjection: matrix(rank, channels),
    stepBias: random.tensor([channels]),
    logA: random.tensor([channels, states]),
    skip: random.tensor([channels]),
    outputProjection: matrix(channels, hidden),
    ...(biases && { inputBias: random.tensor([2 * channels]), outputBias: random.tensor([hidden]) }),
  };
}
