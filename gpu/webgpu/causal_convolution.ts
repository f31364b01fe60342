/** CausalConvolution: a thread an element of y, [B, L, D], and behind them an element of nextPast, [B, K-1, D]. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { CausalConvolution } from '../../plugin/ops/causal_convolution.js';
import { elements, floats } from './elements.js';
import { SILU } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';

const convolve = elements('CausalConvolution', ({ hasPast }: { hasPast: boolean }) => ({
  reads: floats('x', 'taps', 'bias', ...(hasPast ? ['past'] : [])),
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
    let before = i32(token % rows) - numbers.kernel + 1; // where the first tap lies
    if (isOutput) {
      var sum = bias[d];
      for (var k = 0; k < numbers.kernel; k++) {
        sum += taps[u32(k) * numbers.channels + d] * input_at(b, before + k, d);
      }
      y[at] = silu(sum);
    } else {
      nextPast[at] = input_at(b, numbers.length + before, d);
    }
  `,
}));

registerWebgpuKernel(CausalConvolution, ({ inputs, outputs, shapes, ...running }) => {
  const { filter: taps, ...rest } = inputs;
  const [, length, channels] = shapes.x;
  const written = sizeOf(outputs.y.shape);
  convolve(running, {
    size: written + sizeOf(outputs.nextPast.shape),
    variant: { hasPast: inputs.past !== undefined },
    bind: { taps, ...rest, ...outputs },
    numbers: { written, length, channels, kernel: shapes.filter[0] },
  });
});
