/** RootMeanSquareNormalization over the last axis (B. Zhang and R. Sennrich, 2019, equation 4). */
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

export const RootMeanSquareNormalization = defineOp({
  name: 'RootMeanSquareNormalization',
  doc: 'x / sqrt(mean of x^2 + epsilon) * gamma over the last axis.',
  inputs: {
    x: { dtype: 'float32', shape: ['...', 'C'], doc: 'activations, channels last' },
    gamma: { dtype: 'float32', shape: ['C'], doc: 'scale' },
  },
  attributes: { epsilon: { graphName: 'epsilon', default: 1e-5, doc: 'added to the mean square' } },
  outputs: ['y'],
  infer: ({ x, gamma }) => {
    const channels = x[x.length - 1];
    if (gamma[0] !== channels) {
      throw new OpError(
        'RootMeanSquareNormalization',
        `gamma has shape ${showShape(gamma)}, wanted [${channels}]`,
      );
    }
    return [{ shape: [...x], dtype: 'float32' }];
  },
  compose: ({ x, gamma }, { epsilon }) => mul(mul(x, inverseRoot(x, epsilon as number)), gamma),
});

function inverseRoot(x: Tensor, epsilon: number): Tensor {
  return rsqrt(add(mean(square(x), -1, true), epsilon));
}

registerGradient({
  kernelName: RootMeanSquareNormalization.name,
  inputsToSave: ['x', 'gamma'],
  gradFunc: (dy, [x, gamma], attributes) => {
    const scale = () => inverseRoot(x, attributes.epsilon as number);
    const leadingAxes = x.shape.slice(0, -1).map((_, axis) => axis);
    return {
      x: () =>
        tidy(() => {
          const inverse = scale();
          const normalized = mul(x, inverse);
          const scaled = mul(dy as Tensor, gamma);
          return mul(inverse, sub(scaled, mul(normalized, mean(mul(scaled, normalized), -1, true))));
        }),
      gamma: () => tidy(() => sum(mul(dy as Tensor, mul(x, scale())), leadingAxes)),
    };
  },
});

/**
 * Root mean square normalisation over the last axis. Differentiable.
 * @param x [..., C] float32.
 * @param gamma [C] float32 scale.
 * @param options.epsilon added to the mean square, 1e-5 by default.
 * @throws {OpError} on wrong ranks, dtypes or sizes.
 */
export function rootMeanSquareNormalization<T extends Tensor>(
  x: T,
  gamma: Tensor,
  options: { epsilon?: number } = {},
): T {
  return runOp(RootMeanSquareNormalization, { x, gamma }, { epsilon: options.epsilon })[0] as T;
}
