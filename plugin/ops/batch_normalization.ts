/**
 * BatchNormalization in training mode (S. Ioffe and C. Szegedy, "Batch Normalization", 2015): uses the statistics of the
 * batch.
 */
import { add, mean, mul, rsqrt, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';
import { alreadyComputed, defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

const attributes = {
  epsilon: { type: 'number', default: 1e-5, least: 0, doc: 'added to the variance' },
} as const;

const image = (doc: string) => float32(['N', 'H', 'W', 'C'], doc);
const channels = (doc: string) => float32(['C'], doc);

/** Axes that are reduced. */
const PIXELS = [0, 1, 2];

export const BatchNormalization = defineOp({
  name: 'BatchNormalization',
  doc:
    '(x - mean) / sqrt(variance + epsilon) * gamma + beta, with mean and variance of each channel over all pixels; both ' +
    'are also outputs, for running statistics, through which no gradient flows.',
  inputs: {
    x: image('activations, channels last'),
    gamma: channels('scale of each channel'),
    beta: channels('shift of each channel'),
  },
  attributes,
  outputs: {
    y: image('normalised activations, same shape as x'),
    mean: channels('mean of each channel over the batch'),
    variance: channels('population variance of each channel over the batch'),
  },
  compose: ({ x, gamma, beta }, { epsilon }) => {
    const { average, centred, variance, inverseDeviation } = statistics(x, epsilon);
    return [add(mul(centred, mul(inverseDeviation, gamma)), beta), average, variance];
  },
  gradient: {
    saves: ['x', 'gamma'],
    compute: ({ x, gamma }, [dy], { epsilon }) => {
      const [dx, dgamma, dbeta] = runOp(BatchNormalizationGradient, { x, gamma, dy }, { epsilon });
      return alreadyComputed({ x: dx, gamma: dgamma, beta: dbeta });
    },
  },
});

export const BatchNormalizationGradient = defineOp({
  name: 'BatchNormalizationGradient',
  inner: true,
  doc: 'Gradients of BatchNormalization with respect to x, gamma and beta, given the gradient with respect to y.',
  inputs: {
    x: image('input x of BatchNormalization'),
    gamma: channels('scale of BatchNormalization'),
    dy: image('gradient with respect to y'),
  },
  attributes,
  outputs: {
    dx: image('gradient with respect to x'),
    dgamma: channels('gradient with respect to gamma'),
    dbeta: channels('gradient with respect to beta'),
  },
  compose: ({ x, gamma, dy }, { epsilon }) => {
    const { centred, inverseDeviation } = statistics(x, epsilon);
    const normalized = mul(centred, inverseDeviation);
    const [dgamma, dbeta] = [sum(mul(dy, normalized), PIXELS), sum(dy, PIXELS)];
    const count = x.size / gamma.size;
    const along = add(mul(normalized, mul(dgamma, 1 / count)), mul(dbeta, 1 / count));
    return [mul(sub(dy, along), mul(inverseDeviation, gamma)), dgamma, dbeta];
  },
});

function statistics(x: Tensor, epsilon: number) {
  const average = mean(x, PIXELS);
  const centred = sub(x, average);
  const variance = mean(square(centred), PIXELS);
  return { average, centred, variance, inverseDeviation: rsqrt(add(variance, epsilon)) };
}
