/**
 * SelectiveScan: the recurrence of a selective state-space model (A. Gu and T. Dao, "Mamba", 2023, equation 2) with its
 * readout. The states [B, L, D*N] are never stored.
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { defineOp, float32, optional } from './declare.js';
import { runOp } from './kernels.js';
import { scanGradients } from './selective_scan_gradient.js';

/** Inputs that both selective scans share. */
export const scanInputs = {
  step: float32(['B', 'L', 'D'], 'dt (delta) of each token and channel'),
  deltaU: float32(
    ['B', 'L', 'D'],
    'dt * x of each token and channel; times the input matrix B it is deltaB_u',
  ),
  logA: float32(['D', 'N'], 'state matrix A as log(-A), N states per channel'),
  inputGate: float32(['B', 'L', 'N'], 'input matrix B of the state-space model'),
  outputGate: float32(['B', 'L', 'N'], 'output matrix C of the state-space model'),
} as const;

export const scanInputNames = Object.keys(scanInputs) as (keyof typeof scanInputs)[];

/** Outputs that both selective scans share. */
export const scanOutputs = {
  y: float32(['B', 'L', 'D'], 'output of each token and channel'),
  nextState: float32(['B', 'D', 'N'], 'state after the last token'),
} as const;

export const SelectiveScan = defineOp({
  name: 'SelectiveScan',
  doc:
    'h[t] = decay[t] * h[t-1] + inputScale * deltaU[t, d] * inputGate[t, n] with decay[t, d, n] = exp(-exp(logA[d, n]) ' +
    '* step[t, d]), and y[t, d] = sum over n of h[t, d, n] * outputGate[t, n].',
  inputs: {
    ...scanInputs,
    state: optional(float32(['B', 'D', 'N'], 'state h before the first token; zeros if omitted')),
  },
  attributes: {
    inputScale: { type: 'number', default: 1, doc: 'factor on the contribution of each token to the state' },
  },
  outputs: scanOutputs,
  least: { L: 1 },
  gradient: {
    saves: [...scanInputNames, 'state'],
    compute: (inputs, dy, { inputScale }) => scanGradients(inputs, dy, [{ scale: inputScale }]),
  },
});

/** The tensors of {@link selectiveScan}. */
export interface SelectiveScanInputs {
  /** [B, L, D] float32, for example from {@link selectiveStep}. */
  readonly step: Tensor;
  readonly deltaU: Tensor;
  /** [D, N] float32, log of -A. */
  readonly logA: Tensor;
  /** [B, L, N] float32, B and C of the state-space model. */
  readonly inputGate: Tensor;
  readonly outputGate: Tensor;
}

/**
 * Runs the recurrence of a selective state-space model. Differentiable in all inputs and in the state.
 * @param options.state [B, D, N] float32 before the first token; zeros by default.
 * @param options.inputScale factor on each token's contribution, 1 by default.
 * @returns `y` [B, L, D] and the state after the last token, [B, D, N].
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function selectiveScan(
  inputs: SelectiveScanInputs,
  options: { state?: Tensor; inputScale?: number } = {},
): { y: Tensor3D; nextState: Tensor3D } {
  const { state, inputScale } = options;
  const [y, nextState] = runOp(SelectiveScan, { ...inputs, state }, { inputScale }) as Tensor3D[];
  return { y, nextState };
}
