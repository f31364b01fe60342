/**
 * Discretize: converts the continuous parameters of a selective state-space model to the decay and the input of its scan (A.
 * Gu and T. Dao, "Mamba", 2023, section 2: zero-order hold for A, Euler for B).
 */
import {
  add,
  exp,
  expandDims,
  mul,
  neg,
  reshape,
  sigmoid,
  softplus,
  sum,
  type Tensor,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import { alreadyComputed, defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

const inputs = {
  dt: float32(['B', 'V', 'D'], 'dt (delta) before its bias and softplus'),
  stepBias: float32(['D'], 'bias of dt'),
  logA: float32(['D', 'N'], 'state matrix A as log(-A), N states per channel'),
  inputGate: float32(['B', 'V', 'N'], 'input matrix B of the state-space model'),
  x: float32(['B', 'V', 'D'], 'input of the state-space model'),
} as const;

const inputNames = Object.keys(inputs) as (keyof typeof inputs)[];

const scanned = (doc: string) => float32(['B', 'V', 'D*N'], doc);

export const Discretize = defineOp({
  name: 'Discretize',
  doc:
    'step = softplus(dt + stepBias); decay[.., d*N+n] = exp(-exp(logA[d, n]) * step[.., d]); ' +
    'input[.., d*N+n] = step[.., d] * inputGate[.., n] * x[.., d].',
  inputs,
  attributes: {},
  outputs: { decay: scanned('decay of a tree scan'), input: scanned('input of a tree scan') },
  compose: (inputs) => {
    const { decay, deltaBu } = parts(inputs);
    const [batch, vertices, channels, states] = decay.shape;
    const shape = [batch, vertices, channels * states];
    return [reshape(decay, shape), reshape(deltaBu, shape)];
  },
  gradient: {
    saves: inputNames,
    compute: (inputs, [ddecay, dinput]) => {
      const given = Object.fromEntries(inputNames.map((name) => [name, inputs[name]]));
      const gradients = runOp(DiscretizeGradient, { ...given, ddecay, dinput });
      return alreadyComputed(Object.fromEntries(inputNames.map((name, i) => [name, gradients[i]])));
    },
  },
});

export const DiscretizeGradient = defineOp({
  name: 'DiscretizeGradient',
  inner: true,
  doc: 'Gradients of Discretize with respect to its inputs, given the gradients with respect to its outputs.',
  inputs: {
    ...inputs,
    ddecay: scanned('gradient with respect to decay'),
    dinput: scanned('gradient with respect to input'),
  },
  attributes: {},
  outputs: inputs,
  compose: ({ ddecay, dinput, ...inputs }) => {
    const { step, rate, decay, gate, value } = parts(inputs);
    const [dDecay, dInput] = [ddecay, dinput].map((gradient) => reshape(gradient, decay.shape));
    const dRate = mul(dDecay, decay);
    const dStep = sum(add(mul(dRate, rate), mul(dInput, mul(gate, value))), -1);
    const dRawStep = mul(dStep, sigmoid(add(inputs.dt, inputs.stepBias)));
    return [
      dRawStep,
      sum(dRawStep, [0, 1]),
      sum(mul(mul(dRate, step), rate), [0, 1]),
      sum(mul(dInput, mul(step, value)), 2),
      sum(mul(dInput, mul(step, gate)), -1),
    ];
  },
});

/** Intermediate values with the states on their own axis: [B, V, D, N], or a shape that broadcasts to it. */
function parts({ dt, stepBias, logA, inputGate, x }: Readonly<Record<string, Tensor>>) {
  const step = expandDims(softplus(add(dt, stepBias)), -1);
  const rate = neg(exp(logA));
  const decay = exp(mul(rate, step));
  const gate = expandDims(inputGate, 2);
  const value = expandDims(x, -1);
  return { step, rate, decay, gate, value, deltaBu: mul(mul(step, gate), value) };
}

/**
 * Discretizes a selective state-space model. Differentiable in all inputs.
 *
 * @param dt [B, V, D] float32, dt before its bias and softplus.
 * @param stepBias [D] float32.
 * @param logA [D, N] float32, log of -A.
 * @param inputGate [B, V, N] float32, B of the model.
 * @param x [B, V, D] float32 activations.
 * @returns `decay` and `input` of a tree scan, both [B, V, D*N] float32, channel d*N + n.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function discretize(
  dt: Tensor,
  stepBias: Tensor,
  logA: Tensor,
  inputGate: Tensor,
  x: Tensor,
): { decay: Tensor3D; input: Tensor3D } {
  const [decay, input] = runOp(Discretize, { dt, stepBias, logA, inputGate, x }) as Tensor3D[];
  return { decay, input };
}
