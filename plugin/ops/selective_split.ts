/**
 * SelectiveSplit: splits the x_proj output, from which a selective state-space model computes its own parameters (A. Gu and
 * T. Dao, "Mamba", 2023, algorithm 2).
 */
import { concat, split, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import { defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

const parts = {
  step: float32(['B', 'V', 'R'], 'step (delta) of rank R, before its projection'),
  inputGate: float32(['B', 'V', 'N'], 'input matrix B of the state-space model'),
  outputGate: float32(['B', 'V', 'N'], 'output matrix C of the state-space model'),
} as const;

export const SelectiveSplit = defineOp({
  name: 'SelectiveSplit',
  doc: 'Splits the channels into the step (R = P - 2N, before its projection), B and C (N states each).',
  inputs: { selected: float32(['B', 'V', 'P'], 'concatenated step, B and C along the channels') },
  attributes: {
    states: { type: 'integer', default: 1, least: 1, letter: 'N', doc: 'number of states N per channel' },
  },
  derived: { R: 'P-2N' },
  least: { R: 1 },
  outputs: parts,
  compose: ({ selected }, { states }) =>
    split(selected, [(selected.shape[2] as number) - 2 * states, states, states], 2),
  gradient: {
    saves: [],
    compute: (_, [step, inputGate, outputGate]) => ({
      selected: () => runOp(SelectiveJoin, { step, inputGate, outputGate })[0],
    }),
  },
});

export const SelectiveJoin = defineOp({
  name: 'SelectiveJoin',
  inner: true,
  doc: 'Concatenates the parts of SelectiveSplit: its gradient, given the gradients with respect to its outputs.',
  inputs: parts,
  attributes: {},
  outputs: { selected: float32(['B', 'V', 'R+2N'], 'concatenated step, B and C along the channels') },
  compose: ({ step, inputGate, outputGate }) => concat([step, inputGate, outputGate], 2),
});

/**
 * Splits the x_proj output of a selective state-space model. Differentiable.
 * @param selected [B, V, R+2N] float32.
 * @param options.states N, 1 by default.
 * @returns `step` [B, V, R], and `inputGate` and `outputGate`, both [B, V, N].
 * @throws {OpError} if the rank or dtype is wrong, or there are too few channels.
 */
export function selectiveSplit(
  selected: Tensor,
  options: { states?: number } = {},
): { step: Tensor3D; inputGate: Tensor3D; outputGate: Tensor3D } {
  const [step, inputGate, outputGate] = runOp(
    SelectiveSplit,
    { selected },
    { states: options.states },
  ) as Tensor3D[];
  return { step, inputGate, outputGate };
}
