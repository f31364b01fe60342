/**
 * SelectiveDiscretize: computes the decay and the input of a tree scan, and the gate of its output, from activations in one
 * op. Where models use it is decided in ../models/fusion.ts.
 */
import { defineOp, float32 } from './declare.js';
import { discretize } from './discretize.js';
import { linear } from './linear.js';
import { selectiveSplit } from './selective_split.js';

const scanned = (doc: string) => float32(['B', 'V', 'D*N'], doc);

/** Parameters from which activations give the step, B and C of a state-space model. */
export const selectionInputs = {
  selection: float32(['D', 'R+2N'], 'projection to the step (rank R), B and C'),
  stepProjection: float32(['R', 'D'], 'projection of the step from rank R to D channels'),
  stepBias: float32(['D'], 'bias of the step (delta)'),
  logA: float32(['D', 'N'], 'state matrix A as log(-A), N states per channel'),
} as const;

export const SelectiveDiscretize = defineOp({
  name: 'SelectiveDiscretize',
  doc: 'Projects x to the step, B and C, projects the step to its channels, and discretizes the model.',
  inputs: {
    x: float32(['B', 'V', 'D'], 'input of the state-space model'),
    ...selectionInputs,
  },
  attributes: {},
  least: { R: 1, N: 1 },
  outputs: {
    decay: scanned('decay of a tree scan'),
    input: scanned('input of a tree scan'),
    outputGate: float32(['B', 'V', 'N'], 'output matrix C of the state-space model'),
  },
  compose: ({ x, selection, stepProjection, stepBias, logA }) => {
    const { step, inputGate, outputGate } = selectiveSplit(linear(x, selection), { states: logA.shape[1] });
    const { decay, input } = discretize(linear(step, stepProjection), stepBias, logA, inputGate, x);
    return [decay, input, outputGate];
  },
});
