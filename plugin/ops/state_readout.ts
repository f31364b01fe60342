/**
 * StateReadout: computes the output of a tree state-space model from the states of a tree scan (GrootVL, section 3.2; the
 * skip and the gate are those of A. Gu and T. Dao, "Mamba", 2023, section 3.4).
 */
import { add, mul, sum, type Tensor } from '@tensorflow/tfjs-core';
import { alreadyComputed, defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';
import { normalizationGradient, standardize } from './layer_normalization.js';

const channels = (doc: string) => float32(['D'], doc);
const activations = (doc: string) => float32(['B', 'V', 'D'], doc);

const inputs = {
  state: activations('states, the output of a tree scan'),
  outputGate: float32(['B', 'V', '1'], 'output matrix C of the state-space model'),
  x: activations('input of the state-space model, used by the skip connection'),
  skip: channels('skip coefficient D of the state-space model'),
  gate: activations('multiplier of the output'),
  stateGamma: channels('scale of the state normalisation'),
  stateBeta: channels('shift of the state normalisation'),
  outputGamma: channels('scale of the output normalisation'),
  outputBeta: channels('shift of the output normalisation'),
} as const;

const inputNames = Object.keys(inputs) as (keyof typeof inputs)[];

const attributes = {
  epsilon: { type: 'number', default: 1e-5, least: 0, doc: 'added to the variance in both normalisations' },
} as const;

export const StateReadout = defineOp({
  name: 'StateReadout',
  doc:
    'LayerNorm(LayerNorm(state) * outputGate + skip * x) * gate over the channels: the states read through C, the skip ' +
    'connection and the gate.',
  inputs,
  attributes,
  outputs: { y: activations('output of the model, same shape as x') },
  compose: (inputs, { epsilon }) => {
    const { outputNormalized } = parts(inputs, epsilon);
    return mul(add(mul(outputNormalized, inputs.outputGamma), inputs.outputBeta), inputs.gate);
  },
  gradient: {
    saves: inputNames,
    compute: (inputs, [dy], { epsilon }) => {
      const given = Object.fromEntries(inputNames.map((name) => [name, inputs[name]]));
      const gradients = runOp(StateReadoutGradient, { ...given, dy }, { epsilon });
      return alreadyComputed(Object.fromEntries(inputNames.map((name, i) => [name, gradients[i]])));
    },
  },
});

export const StateReadoutGradient = defineOp({
  name: 'StateReadoutGradient',
  inner: true,
  doc: 'Gradients of StateReadout with respect to its inputs, given the gradient with respect to its output.',
  inputs: { ...inputs, dy: activations('gradient with respect to y') },
  attributes,
  outputs: inputs,
  compose: ({ dy, ...inputs }, { epsilon }) => {
    const { state, outputGate, x, skip, gate, stateGamma, outputGamma, outputBeta } = inputs;
    const { stateNormalized, read, mixed, outputNormalized } = parts(inputs, epsilon);
    const dOutput = mul(dy, gate);
    const dMixed = normalizationGradient(mixed, outputGamma, dOutput, epsilon);
    const dRead = mul(dMixed, outputGate);
    return [
      normalizationGradient(state, stateGamma, dRead, epsilon),
      sum(mul(dMixed, read), -1, true),
      mul(dMixed, skip),
      sum(mul(dMixed, x), [0, 1]),
      mul(dy, add(mul(outputNormalized, outputGamma), outputBeta)),
      sum(mul(dRead, stateNormalized), [0, 1]),
      sum(dRead, [0, 1]),
      sum(mul(dOutput, outputNormalized), [0, 1]),
      sum(dOutput, [0, 1]),
    ];
  },
});

function parts(inputs: Readonly<Record<string, Tensor>>, epsilon: number) {
  const { state, outputGate, x, skip, stateGamma, stateBeta } = inputs;
  const { normalized: stateNormalized } = standardize(state, epsilon);
  const read = add(mul(stateNormalized, stateGamma), stateBeta);
  const mixed = add(mul(read, outputGate), mul(skip, x));
  const { normalized: outputNormalized } = standardize(mixed, epsilon);
  return { stateNormalized, read, mixed, outputNormalized };
}

/** The tensors of {@link stateReadout}. */
export interface StateReadoutInputs {
  /** [B, V, D] float32, the output of the scan. */
  readonly state: Tensor;
  /** [B, V, 1] float32, C of the state-space model. */
  readonly outputGate: Tensor;
  /** [B, V, D] float32, activations that bypass the scan. */
  readonly x: Tensor;
  /** [D] float32, D of the state-space model. */
  readonly skip: Tensor;
  /** [B, V, D] float32, multiplied with the output. */
  readonly gate: Tensor;
  /** [D] float32, scale and shift of the normalisation of the states. */
  readonly stateGamma: Tensor;
  readonly stateBeta: Tensor;
  /** [D] float32, scale and shift of the normalisation of the output. */
  readonly outputGamma: Tensor;
  readonly outputBeta: Tensor;
}

/**
 * Computes the output of a tree state-space model from its states. Differentiable in all inputs.
 * @param options.epsilon added to both variances, 1e-5 by default.
 * @returns [B, V, D] float32.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function stateReadout(inputs: StateReadoutInputs, options: { epsilon?: number } = {}): Tensor {
  return runOp(StateReadout, { ...inputs }, { epsilon: options.epsilon })[0];
}
