/**
 * CausalConvolution: a depthwise convolution over time that sees only the current and earlier tokens, followed by SiLU (A.
 * Gu and T. Dao, "Mamba", 2023, section 3.4).
 */
import {
  add,
  concat,
  mul,
  pad,
  reverse,
  slice,
  stack,
  type Tensor,
  type Tensor3D,
  tidy,
  zeros,
} from '@tensorflow/tfjs-core';
import { SiluGradient, silu } from './activations.js';
import { defineOp, float32, optional } from './declare.js';
import { runOp } from './kernels.js';
import { RowSum } from './linear.js';

export const CausalConvolution = defineOp({
  name: 'CausalConvolution',
  doc:
    'y[t] = silu(bias + sum over k of filter[k] * x[t - K + 1 + k]) for each channel; inputs before x come from `past`, ' +
    'zeros if omitted. nextPast is the `past` of the following tokens.',
  inputs: {
    x: float32(['B', 'L', 'D'], 'activations of each token'),
    filter: float32(['K', 'D'], 'convolution kernel; the last element applies to the current token'),
    bias: float32(['D'], 'bias of each channel'),
    past: optional(float32(['B', 'K-1', 'D'], 'the K-1 inputs before x; zeros if omitted')),
  },
  attributes: {},
  outputs: {
    y: float32(['B', 'L', 'D'], 'convolved activations, same shape as x'),
    nextPast: float32(['B', 'K-1', 'D'], 'the last K-1 inputs, to be passed as `past` with the next tokens'),
  },
  least: { K: 1 },
  compose: ({ x, filter, bias, past }) => {
    const [batch, length, channels] = x.shape as number[];
    const kernelSize = filter.shape[0] as number;
    const extended = withPast(x, kernelSize, past);
    const y = silu(add(weighted(extended, filter, length), bias));
    return [y, slice(extended, [0, length, 0], [batch, kernelSize - 1, channels])];
  },
  gradient: {
    saves: ['x', 'filter', 'bias', 'past'],
    compute: ({ x, filter, bias, past }, [dy, dNextPast]) => {
      const [kernelSize, length] = [filter.shape[0] as number, x.shape[1] as number];
      const dSums = tidy(() => {
        const sums = add(weighted(withPast(x, kernelSize, past), filter, length), bias);
        return runOp(SiluGradient, { x: sums, dy })[0];
      });
      /** Computes the gradients of the concatenated past and x from input `first` on: the transposed convolution. */
      const dInputs = (first: number, count: number) =>
        tidy(() => {
          const around = slice(
            padded(dSums, kernelSize - 1, kernelSize - 1),
            [0, first, 0],
            [-1, count + kernelSize - 1, -1],
          );
          const ofSums = weighted(around, reverse(filter, 0), count);
          if (kernelSize === 1) return ofSums; // there is no past
          return add(ofSums, slice(padded(dNextPast, length, 0), [0, first, 0], [-1, count, -1]));
        });
      return {
        x: () => dInputs(kernelSize - 1, length),
        past: () => (kernelSize === 1 ? zeros((past as Tensor).shape) : dInputs(0, kernelSize - 1)),
        filter: () =>
          tidy(() =>
            stack(
              shifted(withPast(x, kernelSize, past), kernelSize, length).map((part) =>
                rowSum(mul(part, dSums)),
              ),
            ),
          ),
        bias: () => rowSum(dSums),
      };
    },
  },
});

/** Pads x with tokens of zeros. */
function padded(x: Tensor, before: number, behind: number): Tensor {
  return pad(
    x,
    [0, before, 0].map((count, axis): [number, number] => [count, axis === 1 ? behind : 0]),
  );
}

/** Sums [B, L, D] over batch and tokens. tfjs's own sum over zero tokens is wrong on its wasm backend. */
function rowSum(x: Tensor): Tensor {
  return runOp(RowSum, { x })[0];
}

function withPast(x: Tensor, kernelSize: number, past?: Tensor): Tensor3D {
  const [batch, , channels] = x.shape as number[];
  return concat([past ?? zeros([batch, kernelSize - 1, channels]), x], 1) as Tensor3D;
}

/**
 * Returns the sum over k of filter[k] * extended[t + k] for `length` tokens. depthwiseConv2d is not used because tfjs's wasm
 * backend lacks its gradient.
 */
function weighted(extended: Tensor, filter: Tensor, length: number): Tensor {
  const terms = shifted(extended, filter.shape[0] as number, length).map((part, k) =>
    mul(part, slice(filter, [k, 0], [1, -1])),
  );
  return terms.reduce((total, term) => add(total, term));
}

/** Returns extended[t + k] for every element k of the kernel, each [B, L, D]. */
function shifted(extended: Tensor, kernelSize: number, length: number): Tensor[] {
  return Array.from({ length: kernelSize }, (_, k) => slice(extended, [0, k, 0], [-1, length, -1]));
}

/**
 * Convolves activations over time, channel by channel, and applies SiLU. Differentiable in all inputs.
 * @param x [B, L, D] float32.
 * @param filter [K, D] float32; the last element applies to the current token.
 * @param bias [D] float32.
 * @param past [B, K-1, D] float32, the inputs before x; zeros by default.
 * @returns `y` [B, L, D], and `nextPast` [B, K-1, D] for the tokens after x.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function causalConvolution(
  x: Tensor,
  filter: Tensor,
  bias: Tensor,
  past?: Tensor,
): { y: Tensor3D; nextPast: Tensor3D } {
  const [y, nextPast] = runOp(CausalConvolution, { x, filter, bias, past }) as Tensor3D[];
  return { y, nextPast };
}
