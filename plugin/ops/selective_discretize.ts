/**
 * SelectiveDiscretize: computes the decay and the input of a tree scan, and the gate of its output, from activations in one
 * op. Where models use it is decided in ../models/fusion.ts.
 */
import { defineOp } from './declare.js';
import { discretize } from './discretize.js';
import { linear } from './linear.js';
import { selectiveSplit } from './selective_split.js';

const scanned = (doc: string) => ({ dtype: 'float32', shape: ['B', 'V', 'D*N'], doc }) as const;

/** Parameters from which activations give the step, B and C of a state-space model. */
export const selectionInputs = {
  selection: { dtype: 'float32', shape: ['D', 'R+2N'], doc: 'projection to the step (rank R), B and C' },
  stepProjection: {
    dtype: 'float32',
    shape: ['R', 'D'],
    doc: 'projection of the step from rank R to D channels',
  },
  stepBias: { dtype: 'float32', shape: ['D'], doc: 'bias of the step (delta)' },
  logA: { dtype: 'float32', shape: ['D', 'N'], doc: 'state matrix A as log(-A), N states per channel' },
} as const;

export const SelectiveDiscretize = defineOp({
  name: 'SelectiveDiscretize',
  doc: 'Projects x to the step, B and C, projects the step to its channels, and discretizes the model.',
  inputs: {
    x: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'input of the state-space model' },
    ...selectionInputs,
  },
  attributes: {},
  least: { R: 1, N: 1 },
  outputs: {
    decay: scanned('decay of a tree scan'),
    input: scanned('input of a tree scan'),
    outputGate: { dtype: 'float32', shape: ['B', 'V', 'N'], doc: 'output matrix C of the state-space model' },
  },
  compose: ({ x, selection, stepProjection, stepBias, logA }) => {
    const { step, inputGate, outputGate } = selectiveSplit(linear(x, selection), { states: logA.shape[1] });
    const { decay, input } = discretize(linear(step, stepProjection), stepBias, logA, inputGate, x);
    return [decay, input, outputGate];
  },
});
