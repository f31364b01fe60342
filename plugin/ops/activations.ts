/** Gelu (exact) and Silu, the activations of GrootV and GrootL. */
import { add, erf, exp, mul, relu, sigmoid, square, sub, type Tensor } from '@tensorflow/tfjs-core';
import { defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

/** Activation applied to the output of a linear or depthwise layer. */
export type Activation = 'none' | 'gelu' | 'silu';

/** The `activation` attribute of ops that apply one. */
export const activationAttribute = {
  type: 'string',
  default: 'none',
  oneOf: ['none', 'gelu', 'silu'],
  doc: 'activation applied to the sums; gelu is the exact form',
} as const;

/** Activation applied to the output of a convolution. */
export type ConvolutionActivation = Activation | 'relu';

/** The `activation` attribute of image convolutions. */
export const convolutionActivation = {
  ...activationAttribute,
  oneOf: ['none', 'relu', 'gelu', 'silu'],
} as const;

/** The GraphModel node that applies each activation and nothing else. */
export const ACTIVATION_NODES: Readonly<Record<Exclude<ConvolutionActivation, 'none'>, string>> = {
  relu: 'Relu',
  gelu: 'Gelu',
  silu: 'Silu',
};

/** Applies an activation through its own op. */
export function activated(sums: Tensor, activation: ConvolutionActivation): Tensor {
  if (activation === 'none') return sums;
  return { relu, gelu, silu }[activation](sums);
}

const elementwise = {
  inputs: { x: float32(['...'], 'tensor of any shape') },
  attributes: {},
  outputs: { y: float32(['...'], 'activated values, same shape as x') },
} as const;

export const Gelu = defineOp({
  name: 'Gelu',
  doc: 'x * P(X <= x) for a standard normal X: the exact form with erf, not the tanh approximation.',
  ...elementwise,
  compose: ({ x }) => mul(x, normalDistribution(x)),
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => ({ x: () => runOp(GeluGradient, { x, dy })[0] }) },
});

export const Silu = defineOp({
  name: 'Silu',
  doc: 'x * sigmoid(x).',
  ...elementwise,
  compose: ({ x }) => mul(x, sigmoid(x)),
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => ({ x: () => runOp(SiluGradient, { x, dy })[0] }) },
});

const ofGradient = {
  inputs: {
    ...elementwise.inputs,
    dy: float32(['...'], 'gradient with respect to the output'),
  },
  attributes: {},
  outputs: { dx: float32(['...'], 'gradient with respect to x') },
} as const;

export const GeluGradient = defineOp({
  name: 'GeluGradient',
  inner: true,
  doc: 'dy * (P(X <= x) + x * density(x)) for a standard normal X.',
  ...ofGradient,
  compose: ({ x, dy }) => {
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(dy, add(normalDistribution(x), mul(x, density)));
  },
});

export const SiluGradient = defineOp({
  name: 'SiluGradient',
  inner: true,
  doc: 'dy * sigmoid(x) * (1 + x * (1 - sigmoid(x))).',
  ...ofGradient,
  compose: ({ x, dy }) => {
    const gate = sigmoid(x);
    return mul(dy, mul(gate, add(1, mul(x, sub(1, gate)))));
  },
});

function normalDistribution(x: Tensor): Tensor {
  return mul(0.5, add(1, erf(mul(x, Math.SQRT1_2))));
}

/** Exact GELU, x * P(X <= x) for a standard normal X (D. Hendrycks and K. Gimpel, 2016). Differentiable. */
export function gelu<T extends Tensor>(x: T): T {
  return runOp(Gelu, { x })[0] as T;
}

/** SiLU, x * sigmoid(x). Differentiable. */
export function silu<T extends Tensor>(x: T): T {
  return runOp(Silu, { x })[0] as T;
}
