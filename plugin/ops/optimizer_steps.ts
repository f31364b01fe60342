/** Operations on every parameter in every training step, each as one kernel. */
import { add, div, mul, type Scalar, sqrt, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { runOp } from './kernels.js';

const values = (doc: string) => ({ dtype: 'float32', shape: ['...'], doc }) as const;
const number = (graphName: string, doc: string) => ({ type: 'number', graphName, doc }) as const;

export const AdamWStep = defineOp({
  name: 'AdamWStep',
  doc:
    'mean = beta1 m + (1 - beta1) g; variance = beta2 v + (1 - beta2) g^2; updated = keep * value - rate * mean / ' +
    '(correction * sqrt(variance) + epsilon).',
  inputs: {
    value: values('of a parameter'),
    gradient: values('of the shape of the parameter'),
    m: values('the mean of the gradients so far'),
    v: values('the mean of their squares so far'),
  },
  attributes: {
    beta1: number('beta1', 'how much of m is kept'),
    beta2: number('beta2', 'how much of v is kept'),
    epsilon: number('epsilon', 'added to the deviation'),
    keep: number('keep', 'what weight decay leaves of the value'),
    rate: number('rate', 'learning rate, corrected for the first steps of m'),
    correction: number('correction', 'of the deviation, for the first steps of v'),
  },
  outputs: { updated: values('the parameter'), mean: values('m'), variance: values('v') },
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
    value: values('of a parameter'),
    gradient: values('of the shape of the parameter'),
    velocity: { ...values('the sum of the gradients so far; left out at the first step'), optional: true },
  },
  attributes: {
    momentum: number('momentum', 'how much of the velocity is kept'),
    decay: number('decay', 'weight decay'),
    rate: number('rate', 'learning rate'),
    nesterov: { type: 'boolean', graphName: 'nesterov', default: false, doc: 'a step ahead' },
  },
  outputs: { updated: values('the parameter'), next: values('velocity') },
  compose: ({ value, gradient, velocity }, { momentum, decay, rate, nesterov }) => {
    const decayed = decay === 0 ? gradient : add(gradient, mul(value, decay));
    const next = velocity ? add(mul(velocity, momentum), decayed) : decayed.clone();
    const step = nesterov ? add(decayed, mul(next, momentum)) : next;
    return [sub(value, mul(step, rate)), next];
  },
});

export const ScaleBy = defineOp({
  name: 'ScaleBy',
  doc: 'factor * x, value by value.',
  inputs: { x: values('any shape'), factor: { dtype: 'float32', shape: [], doc: 'one number' } },
  attributes: {},
  outputs: { y: values('of the shape of x') },
  compose: ({ x, factor }) => mul(x, factor),
});

export const SquareSum = defineOp({
  name: 'SquareSum',
  doc: 'The sum of the squares of all values.',
  inputs: { x: values('any shape') },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: [], doc: 'their sum' } },
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
