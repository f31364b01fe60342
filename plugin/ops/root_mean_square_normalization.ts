/** RootMeanSquareNormalization (RMSNorm) over the last axis (B. Zhang and R. Sennrich, 2019, equation 4). */
import { add, mean, mul, reshape, rsqrt, square, sub, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { defineOp, float32 } from './declare.js';
import { runOp } from './kernels.js';
import { rowsOf } from './linear.js';

export const RootMeanSquareNormalization = defineOp({
  name: 'RootMeanSquareNormalization',
  doc: 'x / sqrt(mean of x^2 + epsilon) * gamma over the last axis.',
  inputs: {
    x: float32(['...', 'C'], 'activations, channels last'),
    gamma: float32(['C'], 'scale of each channel'),
  },
  attributes: {
    epsilon: { type: 'number', default: 1e-5, least: 0, doc: 'added to the mean square' },
  },
  outputs: { y: float32(['...', 'C'], 'normalised activations, same shape as x') },
  compose: ({ x, gamma }, { epsilon }) => mul(mul(x, inverseRoot(x, epsilon)), gamma),
  gradient: {
    saves: ['x', 'gamma'],
    compute: ({ x, gamma }, [dy], { epsilon }) => {
      // As rows: tfjs's webgpu backend cannot broadcast tensors of rank 5 or more.
      const [given, upstream] = [rowsOf(x), rowsOf(dy)];
      return {
        x: () =>
          tidy(() => {
            const inverse = inverseRoot(given, epsilon);
            const normalized = mul(given, inverse);
            const scaled = mul(upstream, gamma);
            const along = mul(normalized, mean(mul(scaled, normalized), -1, true));
            return reshape(mul(inverse, sub(scaled, along)), x.shape);
          }),
        gamma: () => tidy(() => sum(mul(upstream, mul(given, inverseRoot(given, epsilon))), 0)),
      };
    },
  },
});

function inverseRoot(x: Tensor, epsilon: number): Tensor {
  return rsqrt(add(mean(square(x), -1, true), epsilon));
}

/**
 * Normalises by the root mean square over the last axis (RMSNorm). Differentiable.
 * @param x [..., C] float32.
 * @param gamma [C] float32 scale.
 * @param options.epsilon added to the mean square, 1e-5 by default.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function rootMeanSquareNormalization<T extends Tensor>(
  x: T,
  gamma: Tensor,
  options: { epsilon?: number } = {},
): T {
  return runOp(RootMeanSquareNormalization, { x, gamma }, { epsilon: options.epsilon })[0] as T;
}
