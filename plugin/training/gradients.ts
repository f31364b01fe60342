/** Operations on gradients between a pass and an update. Gradients are named tensors, float32. */
import {
  add,
  addN,
  dispose,
  div,
  keep,
  minimum,
  mul,
  type Scalar,
  sqrt,
  stack,
  sum,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { number } from '../models/checks.js';
import { scaleBy, squareSum } from '../ops/optimizer_steps.js';
import type { Gradients } from './trainable.js';

/** torch.nn.utils.clip_grad_norm_ adds it to the norm. */
const CLIP_EPSILON = 1e-6;

/**
 * Scales gradients so that their joint norm is at most a bound.
 * @param gradients remain owned by the caller
 * @returns the scaled gradients, and the norm before scaling; the caller disposes both
 */
export function clipByGlobalNorm(gradients: Gradients, most: number): { gradients: Gradients; norm: Scalar } {
  number(Number.MIN_VALUE, Number.MAX_VALUE)(most, 'clipByGlobalNorm: most');
  return tidy(() => {
    const norm = sqrt(sum(stack(Object.values(gradients).map(squareSum)))) as Scalar;
    const factor = minimum(div(most, add(norm, CLIP_EPSILON)), 1) as Scalar;
    const scaled = Object.entries(gradients).map(([name, gradient]) => [name, scaleBy(gradient, factor)]);
    return { gradients: Object.fromEntries(scaled), norm };
  });
}

/** Sums the gradients of several passes, to split a large batch. */
export class GradientAccumulator {
  private readonly sums = new Map<string, Tensor>();

  /**
   * @param gradients remain owned by the caller.
   * @param weight factor in the sum; 1/n gives the mean of n passes
   */
  add(gradients: Gradients, weight = 1): void {
    for (const [name, gradient] of Object.entries(gradients)) {
      const before = this.sums.get(name);
      const sum = tidy(() => {
        const weighted = weight === 1 ? gradient.clone() : mul(gradient, weight);
        return before ? addN([before, weighted]) : weighted;
      });
      before?.dispose();
      this.sums.set(name, keep(sum));
    }
  }

  /** Returns the sums since the last call; the caller disposes them. */
  take(): Gradients {
    const gradients = Object.fromEntries(this.sums);
    this.sums.clear();
    return gradients;
  }

  /** Frees sums that were not taken. */
  dispose(): void {
    dispose(this.take());
  }
}
