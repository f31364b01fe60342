/** LayerNormalization over the last axis (J. L. Ba et al., "Layer Normalization", 2016, equation 4). */
import { add, mean, mul, rsqrt, square, sub, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { alreadyComputed, defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';

const attributes = {
  epsilon: { type: 'number', default: 1e-6, least: 0, doc: 'added to the variance' },
} as const;

export const LayerNormalization = defineOp({
  name: 'LayerNormalization',
  doc: '(x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis; the variance is the population variance.',
  inputs: {
    x: float32(['...', 'C'], 'activations, channels last'),
    gamma: float32(['C'], 'scale of each channel'),
    beta: float32(['C'], 'shift of each channel'),
  },
  attributes,
  outputs: { y: float32(['...', 'C'], 'normalised activations, same shape as x') },
  compose: ({ x, gamma, beta }, { epsilon }) => {
    const { normalized } = standardize(x, epsilon);
    return add(mul(normalized, gamma), beta);
  },
  gradient: {
    saves: ['x', 'gamma'],
    compute: ({ x, gamma }, [dy], { epsilon }) => {
      const [dx, dgamma, dbeta] = runOp(LayerNormalizationGradient, { x, gamma, dy }, { epsilon });
      return alreadyComputed({ x: dx, gamma: dgamma, beta: dbeta });
    },
  },
});

export const LayerNormalizationGradient = defineOp({
  name: 'LayerNormalizationGradient',
  inner: true,
  doc: 'Gradients of LayerNormalization with respect to x, gamma and beta, given the gradient with respect to its output.',
  inputs: {
    x: float32(['...', 'C'], 'input x of LayerNormalization'),
    gamma: float32(['C'], 'scale of LayerNormalization'),
    dy: float32(['...', 'C'], 'gradient with respect to y'),
  },
  attributes,
  outputs: {
    dx: float32(['...', 'C'], 'gradient with respect to x'),
    dgamma: float32(['C'], 'gradient with respect to gamma'),
    dbeta: float32(['C'], 'gradient with respect to beta'),
  },
  compose: ({ x, gamma, dy }, { epsilon }) => {
    const leadingAxes = x.shape.slice(0, -1).map((_, axis) => axis);
    return [
      normalizationGradient(x, gamma, dy, epsilon),
      sum(mul(dy, standardize(x, epsilon).normalized), leadingAxes),
      sum(dy, leadingAxes),
    ];
  },
});

/** Returns (x - mean) / deviation over the last axis, and 1 / deviation. */
export function standardize(x: Tensor, epsilon: number): { normalized: Tensor; inverseDeviation: Tensor } {
  const centred = sub(x, mean(x, -1, true));
  const inverseDeviation = rsqrt(add(mean(square(centred), -1, true), epsilon));
  return { normalized: mul(centred, inverseDeviation), inverseDeviation };
}

/** Computes the gradient of LayerNormalization in x from the gradient of its output. */
export function normalizationGradient(x: Tensor, gamma: Tensor, dy: Tensor, epsilon: number): Tensor {
  return tidy(() => {
    const { normalized, inverseDeviation } = standardize(x, epsilon);
    const scaled = mul(dy, gamma);
    const alongNormalized = mul(normalized, mean(mul(scaled, normalized), -1, true));
    return mul(inverseDeviation, sub(sub(scaled, mean(scaled, -1, true)), alongNormalized));
  });
}

/**
 * Normalises over the last axis (layer normalisation). Differentiable.
 * @param x [..., C] float32.
 * @param gamma [C] float32 scale.
 * @param beta [C] float32 shift.
 * @param options.epsilon added to the variance, 1e-6 by default.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function layerNormalization<T extends Tensor>(
  x: T,
  gamma: Tensor,
  beta: Tensor,
  options: { epsilon?: number } = {},
): T {
  return runOp(LayerNormalization, { x, gamma, beta }, { epsilon: options.epsilon })[0] as T;
}
