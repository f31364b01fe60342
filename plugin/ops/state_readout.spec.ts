import { normalized } from './layer_normalization.spec.js';
import { mapped } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec } from './spec/spec.js';
import { StateReadout } from './state_readout.js';

export const stateReadoutSpec = defineSpec(StateReadout, {
  formula: ({ inputs, attributes: { epsilon } }) => {
    const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
    const channels = skip.length;
    const mixed = normalized(state, stateGamma, stateBeta, epsilon).map(
      (value, i) => value * outputGate[Math.floor(i / channels)] + skip[i % channels] * x[i],
    );
    return { y: normalized(mixed, outputGamma, outputBeta, epsilon).map((value, i) => value * gate[i]) };
  },
  tolerance: { float32: 4e-6, shader: 4e-5, reason: 'two normalisations in a row' },
  samples: (random) =>
    [3, 8, 17].map((channels) => ({
      what: `D = ${channels}`,
      inputs: inputsOf([2, 3, channels], random),
      attributes: { epsilon: 1e-5 },
    })),
  faults: {
    'what goes past the scan is normalised away': mapped('skip', () => 0),
    'the gate is missing': mapped('gate', () => 1),
  },
  perf: {
    sample: ({ side, channels }, random) => ({ inputs: inputsOf([1, side * side, channels], random) }),
  },
});

function inputsOf(shape: readonly number[], random: Random) {
  const [batch, numVertices, channels] = shape;
  const vertices = () => random.tensor(shape);
  const vector = () => random.tensor([channels]);
  return {
    state: vertices(),
    outputGate: random.tensor([batch, numVertices, 1]),
    x: vertices(),
    skip: vector(),
    gate: vertices(),
    stateGamma: vector(),
    stateBeta: vector(),
    outputGamma: vector(),
    outputBeta: vector(),
  };
}
