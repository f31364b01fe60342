/**
 * SelectiveSplit: the parts of a selective projection, by which a state-space model chooses its own parameters
 * (A. Gu and T. Dao, "Mamba", 2023, algorithm 2).
 */
import { concat, registerGradient, split, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import { runOp } from './kernels.js';
import { defineOp, OpError, showShape } from './op.js';

export const SelectiveSplit = defineOp({
  name: 'SelectiveSplit',
  doc: 'Along the channels: the step in R = P - 2N channels, before its projection, then B and C of N states each.',
  inputs: {
    selected: { dtype: 'float32', shape: ['B', 'V', 'P'], doc: 'projection of the activations' },
  },
  attributes: { states: { graphName: 'states', default: 1, doc: 'N, states a channel' } },
  outputs: ['step', 'inputGate', 'outputGate'],
  infer: ({ selected }, { states }) => {
    const [batch, vertices, width] = selected;
    if (!Number.isInteger(states) || (states as number) < 1) {
      throw new OpError('SelectiveSplit', `states is ${states}, wanted an integer of at least 1`);
    }
    const rank = width - 2 * (states as number);
    if (rank < 1) {
      throw new OpError(
        'SelectiveSplit',
        `selected has shape ${showShape(selected)}, wanted more than ${2 * (states as number)} channels ` +
          `with ${states} states`,
      );
    }
    return [rank, states as number, states as number].map((channels) => ({
      shape: [batch, vertices, channels],
      dtype: 'float32' as const,
    }));
  },
  compose: ({ selected }, { states }) => {
    const count = states as number;
    return split(selected, [(selected.shape[2] as number) - 2 * count, count, count], 2);
  },
});

registerGradient({
  kernelName: SelectiveSplit.name,
  gradFunc: (dy) => ({ selected: () => concat(dy as Tensor[], 2) }),
});

/**
 * Splits a selective projection. Differentiable.
 * @param selected [B, V, R+2N] float32.
 * @param options.states N, 1 by default.
 * @returns `step` [B, V, R], and `inputGate` and `outputGate`, both [B, V, N].
 * @throws {OpError} on a wrong rank or dtype, or too few channels.
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
