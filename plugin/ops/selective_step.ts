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
import { defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

export const SelectiveStep = defineOp({
  name: 'SelectiveStep',
  doc: 'step = softplus(dt + stepBias); deltaU = step * x (A. Gu and T. Dao, "Mamba", 2023, algorithm 2).',
  inputs: {
    dt: float32(['B', 'L', 'D'], 'dt (delta) before its bias and softplus'),
    stepBias: float32(['D'], 'bias of dt'),
    x: float32(['B', 'L', 'D'], 'input of the state-space model'),
  },
  attributes: {},
  outputs: {
    step: float32(['B', 'L', 'D'], 'dt (delta), the step of the discretisation'),
    deltaU: float32(['B', 'L', 'D'], 'dt * x; times the input matrix B it is deltaB_u of the reference code'),
  },
  compose: ({ dt, stepBias, x }) => {
    const raw = add(dt, stepBias);
    // dt is small, and log(1 + e) would lose half its digits.
    const step = add(relu(raw), log1p(exp(neg(abs(raw)))));
    return [step, mul(step, x)];
  },
  gradient: {
    saves: ['dt', 'stepBias', 'x'],
    savesOutputs: true,
    compute: ({ dt, stepBias, x, step }, [dStep, dDeltaU]) => {
      const dRaw = tidy(() => mul(add(dStep, mul(dDeltaU, x)), sigmoid(add(dt, stepBias))));
      return { dt: () => dRaw, stepBias: () => sum(dRaw, [0, 1]), x: () => mul(dDeltaU, step) };
    },
  },
});

/**
 * Computes dt = softplus(dt + stepBias) and dt * x of a selective state-space model. Differentiable in all inputs.
 * @param dt [B, L, D] float32, before bias and softplus.
 * @param stepBias [D] float32.
 * @param x [B, L, D] float32 activations.
 * @returns `step`, dt, and `deltaU`, dt * x, both [B, L, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function selectiveStep(dt: Tensor, stepBias: Tensor, x: Tensor): { step: Tensor3D; deltaU: Tensor3D } {
  const [step, deltaU] = runOp(SelectiveStep, { dt, stepBias, x }) as Tensor3D[];
  return { step, deltaU };
}
