/**
 * SelectiveDiscretize: computes the decay and the input of a tree scan, and the gate of its output, from activations in one
 * op. Where models use it is decided in ../models/fusion.ts.
 */
import { defineOp } from './declare.js';
import { discretize } from './discretize.js';
import { linear } from './linear.js';
import { selectiveSplit } from './selective_split.js';

const scanned = (doc: string) => ({ dtype: 'float32', shape: ['B', 'V', 'D*N'], doc }) as const;

export const SelectiveDiscretize = defineOp({
  name: 'SelectiveDiscretize',
  doc: 'A linear layer that chooses step, B and C, a linear layer of the step, and the discretisation of both.',
  inputs: {
    x: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'activations' },
    selection: { dtype: 'float32', shape: ['D', 'R+2N'], doc: 'to the step of rank R, B and C' },
    stepProjection: { dtype: 'float32', shape: ['R', 'D'], doc: 'of the step' },
    stepBias: { dtype: 'float32', shape: ['D'], doc: 'of the step' },
    logA: { dtype: 'float32', shape: ['D', 'N'], doc: 'log of -A, N states a channel' },
  },
  attributes: {},
  least: { R: 1, N: 1 },
  outputs: {
    decay: scanned('of a tree scan'),
    input: scanned('of a tree scan'),
    outputGate: { dtype: 'float32', shape: ['B', 'V', 'N'], doc: 'C of the state-space model' },
  },
  compose: ({ x, selection, stepProjection, stepBias, logA }) => {
    const { step, inputGate, outputGate } = selectiveSplit(linear(x, selection), { states: logA.shape[1] });
    const { decay, input } = discretize(linear(step, stepProjection), stepBias, logA, inputGate, x);
    return [decay, input, outputGate];
  },
});
