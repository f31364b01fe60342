/** Elementwise losses, summed with weights. Losses and gradients are finite for any logits. */
import {
  abs,
  add,
  customGrad,
  exp,
  type GradSaveFunc,
  log1p,
  mul,
  neg,
  relu,
  type Scalar,
  sigmoid,
  sign,
  sub,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';

/**
 * Sums the weighted binary cross-entropies of logits.
 * @param targets from 0 to 1, of the same shape
 * @param weights of the same shape, or a number for all
 */
export function binaryCrossEntropySum(logits: Tensor, targets: Tensor, weights: Tensor | number): Scalar {
  const loss = customGrad((...inputs) => {
    const [x, save] = inputs as [Tensor, GradSaveFunc];
    save([x, targets]);
    return {
      value: add(sub(relu(x), mul(x, targets)), log1p(exp(neg(abs(x))))),
      gradFunc: (dy: Tensor, [x, targets]: Tensor[]) => mul(dy, sub(sigmoid(x), targets)),
    };
  });
  return tidy(() => sum(mul(loss(logits), weights)) as Scalar);
}

/** Sums the weighted absolute errors. All inputs have the same shape; at the target the gradient is 0, as in PyTorch. */
export function absoluteErrorSum(values: Tensor, targets: Tensor, weights: Tensor): Scalar {
  const loss = customGrad((...inputs) => {
    const [x, save] = inputs as [Tensor, GradSaveFunc];
    save([x, targets]);
    return {
      value: abs(sub(x, targets)),
      gradFunc: (dy: Tensor, [x, targets]: Tensor[]) => mul(dy, sign(sub(x, targets))),
    };
  });
  return tidy(() => sum(mul(loss(values), weights)) as Scalar);
}
