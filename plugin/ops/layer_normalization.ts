/** LayerNormalization over the last axis (J. L. Ba et al., "Layer Normalization", 2016, equation 4). */
import {
  add,
  mean,
  mul,
  registerGradient,
  rsqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { runOp } from './kernels.js';
import { defineOp, OpError, showShape } from './op.js';

export const LayerNormalization = defineOp({
  name: 'LayerNormalization',
  doc: '(x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis; the variance is that of the sample.',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'C'], doc: 'activations, channels last' },
    gamma: { dtype: 'float32', shape: ['C'], doc: 'scale' },
    beta: { dtype: 'float32', shape: ['C'], doc: 'shift' },
  },
  attributes: { epsilon: { graphName: 'epsilon', default: 1e-6, doc: 'added to the variance' } },
  outputs: ['y'],
  infer: ({ x, gamma, beta }) => {
    const channels = x[x.length - 1];
    for (const [name, shape] of Object.entries({ gamma, beta })) {
      if (shape[0] !== channels) {
        throw new OpError(
          'LayerNormalization',
          `${name} has shape ${showShape(shape)}, wanted [${channels}]`,
        );
      }
    }
    return [{ shape: [...x], dtype: 'float32' }];
  },
  compose: ({ x, gamma, beta }, { epsilon }) => {
    const { normalized } = standardize(x, epsilon as number);
    return add(mul(normalized, gamma), beta);
  },
});

/** (x - mean) / deviation over the last axis, and 1 / deviation. */
export function standardize(x: Tensor, epsilon: number): { normalized: Tensor; inverseDeviation: Tensor } {
  const centred = sub(x, mean(x, -1, true));
  const inverseDeviation = rsqrt(add(mean(square(centred), -1, true), epsilon));
  return { normalized: mul(centred, inverseDeviation), inverseDeviation };
}

/** The gradient of LayerNormalization in x, given that of its output. */
export function normalizationGradient(x: Tensor, gamma: Tensor, dy: Tensor, epsilon: number): Tensor {
  return tidy(() => {
    const { normalized, inverseDeviation } = standardize(x, epsilon);
    const scaled = mul(dy, gamma);
    const alongNormalized = mul(normalized, mean(mul(scaled, normalized), -1, true));
    return mul(inverseDeviation, sub(sub(scaled, mean(scaled, -1, true)), alongNormalized));
  });
}

registerGradient({
  kernelName: LayerNormalization.name,
  inputsToSave: ['x', 'gamma'],
  gradFunc: (dy, saved, attributes) => {
    const [x, gamma] = saved;
    const epsilon = attributes.epsilon as number;
    const leadingAxes = x.shape.slice(0, -1).map((_, axis) => axis);
    const upstream = dy as Tensor;
    return {
      x: () => normalizationGradient(x, gamma, upstream, epsilon),
      gamma: () => tidy(() => sum(mul(upstream, standardize(x, epsilon).normalized), leadingAxes)),
      beta: () => sum(upstream, leadingAxes),
    };
  },
});

/**
 * Layer normalisation over the last axis. Differentiable.
 * @param x [..., C] float32.
 * @param gamma [C] float32 scale.
 * @param beta [C] float32 shift.
 * @param options.epsilon added to the variance, 1e-6 by default.
 * @throws {OpError} on wrong ranks, dtypes or sizes.
 */
export function layerNormalization<T extends Tensor>(
  x: T,
  gamma: Tensor,
  beta: Tensor,
  options: { epsilon?: number } = {},
): T {
  return runOp(LayerNormalization, { x, gamma, beta }, { epsilon: options.epsilon })[0] as T;
}
