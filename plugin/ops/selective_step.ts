/**
 * SelectiveStep: computes the step dt of each token and channel, and dt * x, which is multiplied by the input gate later.
 */
import {
  abs,
  add,
  exp,
  log1p,
  mul,
  neg,
  relu,
  sigmoid,
  sum,
  type Tensor,
  type Tensor3D,
  tidy,
} from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { runOp } from './kernels.js';

export const SelectiveStep = defineOp({
  name: 'SelectiveStep',
  doc: 'step = softplus(rawStep + stepBias); drive = step * x (A. Gu and T. Dao, "Mamba", 2023, algorithm 2).',
  inputs: {
    rawStep: { dtype: 'float32', shape: ['B', 'L', 'D'], doc: 'dt (delta) before its bias and softplus' },
    stepBias: { dtype: 'float32', shape: ['D'], doc: 'bias of dt' },
    x: { dtype: 'float32', shape: ['B', 'L', 'D'], doc: 'input of the state-space model' },
  },
  attributes: {},
  outputs: {
    step: { dtype: 'float32', shape: ['B', 'L', 'D'], doc: 'dt (delta), the step of the discretisation' },
    drive: {
      dtype: 'float32',
      shape: ['B', 'L', 'D'],
      doc: 'dt * x; times the input matrix B it is deltaB_u of the reference code',
    },
  },
  compose: ({ rawStep, stepBias, x }) => {
    const raw = add(rawStep, stepBias);
    // dt is small, and log(1 + e) would lose half its digits.
    const step = add(relu(raw), log1p(exp(neg(abs(raw)))));
    return [step, mul(step, x)];
  },
  gradient: {
    saves: ['rawStep', 'stepBias', 'x'],
    savesOutputs: true,
    compute: ({ rawStep, stepBias, x, step }, [dStep, dDrive]) => {
      const dRaw = tidy(() => mul(add(dStep, mul(dDrive, x)), sigmoid(add(rawStep, stepBias))));
      return { rawStep: () => dRaw, stepBias: () => sum(dRaw, [0, 1]), x: () => mul(dDrive, step) };
    },
  },
});

/**
 * Computes dt = softplus(rawStep + stepBias) and dt * x of a selective state-space model. Differentiable in all inputs.
 * @param rawStep [B, L, D] float32, before bias and softplus.
 * @param stepBias [D] float32.
 * @param x [B, L, D] float32 activations.
 * @returns `step`, dt, and `drive`, dt * x, both [B, L, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function selectiveStep(
  rawStep: Tensor,
  stepBias: Tensor,
  x: Tensor,
): { step: Tensor3D; drive: Tensor3D } {
  const [step, drive] = runOp(SelectiveStep, { rawStep, stepBias, x }) as Tensor3D[];
  return { step, drive };
}
