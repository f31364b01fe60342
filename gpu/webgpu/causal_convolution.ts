/** CausalConvolution: one thread per element of y, [B, L, D], followed by one per element of nextPast, [B, K-1, D]. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { CausalConvolution } from '../../plugin/ops/causal_convolution.js';
import { elements, floats, type Running } from './elements.js';
import { SILU } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import type { Binding } from './runner.js';

const convolve = elements('CausalConvolution', ({ hasPast }: { hasPast: boolean }) => ({
  reads: floats('x', 'weights', 'bias', ...(hasPast ? ['past'] : [])),
  writes: floats('y', 'nextPast'),
  numbers: { written: 'u32', length: 'i32', channels: 'u32', kernel: 'i32' },
  functions: `
    ${SILU}
    /* The input of token t, which may lie before x. */
    fn input_at(b: u32, t: i32, d: u32) -> f32 {
      if (t >= 0) { return x[(b * u32(numbers.length) + u32(t)) * numbers.channels + d]; }
      ${hasPast ? 'return past[(b * u32(numbers.kernel - 1) + u32(t + numbers.kernel - 1)) * numbers.channels + d];' : 'return 0.0;'}
    }
  `,
  body: `
    let isOutput = i < numbers.written;
    let at = select(i - numbers.written, i, isOutput);
    let token = at / numbers.channels;
    let d = at % numbers.channels;
    let rows = u32(select(numbers.kernel - 1, numbers.length, isOutput));
    let b = token / rows;
    let before = i32(token % rows) - numbers.kernel + 1; // where the first element of the kernel lies
    if (isOutput) {
      var sum = bias[d];
      for (var k = 0; k < numbers.kernel; k++) {
        sum += weights[u32(k) * numbers.channels + d] * input_at(b, before + k, d);
      }
      y[at] = silu(sum);
    } else {
      nextPast[at] = input_at(b, numbers.length + before, d);
    }
  `,
}));

interface CausalConvolutionTensors {
  /** [B, L, D] */
  readonly x: Binding;
  /** [K, D] */
  readonly filter: TensorInfo;
  /** [D] */
  readonly bias: TensorInfo;
  /** [B, K-1, D] */
  readonly past?: TensorInfo;
  /** [B, L, D] */
  readonly y: Binding;
  /** [B, K-1, D] */
  readonly nextPast: TensorInfo;
}

/**
 * Runs the convolution.
 * @param shape [B, L, D] of x
 */
export function convolveWithPast(
  running: Running,
  shape: readonly number[],
  { filter, ...tensors }: CausalConvolutionTensors,
): void {
  const [, length, channels] = shape;
  const written = sizeOf(shape);
  convolve(running, {
    size: written + sizeOf(tensors.nextPast.shape),
    variant: { hasPast: tensors.past !== undefined },
    bind: { weights: filter, ...tensors },
    numbers: { written, length, channels, kernel: filter.shape[0] },
  });
}

registerWebgpuKernel(CausalConvolution, ({ inputs, outputs, shapes, ...running }) => {
  convolveWithPast(running, shapes.x, { ...inputs, ...outputs });
});
