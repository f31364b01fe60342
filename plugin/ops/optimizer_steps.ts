/** Operations on every parameter in every training step, each as one kernel. */
import { add, div, mul, type Scalar, sqrt, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';
import { defineOp, float32, optional } from './declare.js';
import { runOp } from './kernels.js';

const values = (doc: string) => float32(['...'], doc);
const number = (doc: string) => ({ type: 'number', doc }) as const;

export const AdamWStep = defineOp({
  name: 'AdamWStep',
  doc:
    'mean = beta1 m + (1 - beta1) g; variance = beta2 v + (1 - beta2) g^2; updated = keep * value - rate * mean / ' +
    '(correction * sqrt(variance) + epsilon).',
  inputs: {
    value: values('parameter'),
    gradient: values('gradient with respect to the parameter'),
    m: values('running mean of the gradients'),
    v: values('running mean of the squared gradients'),
  },
  attributes: {
    beta1: number('decay rate of m'),
    beta2: number('decay rate of v'),
    epsilon: number('added to the denominator'),
    keep: number('factor by which weight decay shrinks the value; 1: no weight decay'),
    rate: number('learning rate, including the bias correction of m'),
    correction: number('factor on sqrt(v): the bias correction of v'),
  },
  outputs: { updated: values('updated parameter'), mean: values('updated m'), variance: values('updated v') },
  compose: ({ value, gradient, m, v }, { beta1, beta2, epsilon, keep, rate, correction }) => {
    const mean = add(mul(m, beta1), mul(gradient, 1 - beta1));
    const variance = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
    const deviation = add(mul(sqrt(variance), correction), epsilon);
    const kept = keep === 1 ? value : mul(value, keep);
    return [sub(kept, mul(div(mean, deviation), rate)), mean, variance];
  },
});

export const MomentumStep = defineOp({
  name: 'MomentumStep',
  doc:
    'g = gradient + decay * value; next = momentum * velocity + g; updated = value - rate * next, with nesterov ' +
    'value - rate * (g + momentum * next).',
  inputs: {
    value: values('parameter'),
    gradient: values('gradient with respect to the parameter'),
    velocity: optional(values('decaying sum of the gradients; omitted at the first step')),
  },
  attributes: {
    momentum: number('decay rate of the velocity'),
    decay: number('weight decay coefficient'),
    rate: number('learning rate'),
    nesterov: { type: 'boolean', default: false, doc: 'whether to use Nesterov momentum' },
  },
  outputs: { updated: values('updated parameter'), next: values('updated velocity') },
  compose: ({ value, gradient, velocity }, { momentum, decay, rate, nesterov }) => {
    const decayed = decay === 0 ? gradient : add(gradient, mul(value, decay));
    const next = velocity ? add(mul(velocity, momentum), decayed) : decayed.clone();
    const step = nesterov ? add(decayed, mul(next, momentum)) : next;
    return [sub(value, mul(step, rate)), next];
  },
});

export const ScaleBy = defineOp({
  name: 'ScaleBy',
  doc: 'factor * x, elementwise.',
  inputs: { x: values('tensor of any shape'), factor: float32([], 'scalar factor') },
  attributes: {},
  outputs: { y: values('scaled values, same shape as x') },
  compose: ({ x, factor }) => mul(x, factor),
});

export const SquareSum = defineOp({
  name: 'SquareSum',
  doc: 'The sum of the squares of all values.',
  inputs: { x: values('tensor of any shape') },
  attributes: {},
  outputs: { y: float32([], 'sum of squares') },
  compose: ({ x }) => sum(square(x)),
});

/** Multiplies a tensor by a scalar that is held by the backend. */
export function scaleBy(x: Tensor, factor: Scalar): Tensor {
  return runOp(ScaleBy, { x, factor })[0];
}

/** Returns the sum of squares of a tensor. */
export function squareSum(x: Tensor): Scalar {
  return runOp(SquareSum, { x })[0] as Scalar;
}
