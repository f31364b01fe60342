import { siluOf } from './activations.spec.js';
import { CausalConvolution } from './causal_convolution.js';
import { after, before, computing, mapped, tailMissing, without } from './spec/faults.js';
import { defineSpec, type KernelArguments, type Values } from './spec/spec.js';

export const causalConvolutionSpec = defineSpec(CausalConvolution, {
  formula: ({ inputs: { x, filter, bias, past }, shapes }) => convolved(x, filter, bias, past, shapes.x),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'a sum of a few products, one exp and quotient' },
  samples: (random) =>
    [
      { batch: 1, length: 1, channels: 1, kernelSize: 4 },
      { batch: 2, length: 2, channels: 5, kernelSize: 4 },
      { batch: 2, length: 7, channels: 4, kernelSize: 4 },
      { batch: 3, length: 5, channels: 9, kernelSize: 2 },
      { batch: 1, length: 6, channels: 33, kernelSize: 3 },
      { batch: 2, length: 4, channels: 3, kernelSize: 1 },
      { batch: 1, length: 1, channels: 1, kernelSize: 1 },
      { batch: 3, length: 2, channels: 33, kernelSize: 4 },
      { batch: 2, length: 12, channels: 6, kernelSize: 9 },
      // Cases in which exp(-sum) overflows, and in which it is 0.
      { batch: 1, length: 4, channels: 8, kernelSize: 2, scale: 100 },
      { batch: 0, length: 4, channels: 3, kernelSize: 2 },
    ].flatMap(({ batch, length, channels, kernelSize, scale = 1 }) =>
      [false, true].map((continued) => ({
        what:
          `L = ${length}, D = ${channels}, K = ${kernelSize}${batch === 0 ? ', no texts' : ''}` +
          `${scale > 1 ? `, sums about ${scale}` : ''}${continued ? ', continued' : ''}`,
        inputs: {
          x: random.tensor([batch, length, channels]),
          filter: random.tensor([kernelSize, channels], () => scale * random.normal()),
          bias: random.tensor([channels]),
          ...(continued && { past: random.tensor([batch, kernelSize - 1, channels]) }),
        },
        withoutGradient: batch === 0,
      })),
    ),
  faults: {
    'the kernel is reversed': mapped('filter', (_, i, { inputs: { filter }, shapes }) => {
      const [kernelSize, channels] = shapes.filter;
      return filter[(kernelSize - 1 - Math.floor(i / channels)) * channels + (i % channels)];
    }),
    'the past is left out': without('past'),
    'the bias is missing': mapped('bias', () => 0),
    'SiLU is missing': computing(({ inputs: { x, filter, bias, past }, shapes }) =>
      convolved(x, filter, bias, past, shapes.x, (sum) => sum),
    ),
    'the next past lags a token': after(({ outputs: { nextPast }, shapes }) => {
      nextPast.copyWithin(shapes.x[2], 0);
    }),
    'the first tokens of an item see the item before': before((args) => ({
      inputs: { ...args.inputs, past: pastInMemory(args) },
    })),
    'channels beyond a multiple of four are missing': tailMissing('x'),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: {
        x: random.tensor([1, side * side, channels]),
        filter: random.tensor([4, channels]),
        bias: random.tensor([channels]),
      },
    }),
  },
});

/**
 * Applies a depthwise convolution over time and an activation; also returns the inputs of the last tokens.
 * @param shape of x, [B, L, D].
 */
export function convolved(
  x: Values,
  filter: Values,
  bias: Values,
  past: Values | undefined,
  [batch, length, channels]: readonly number[],
  activation = siluOf,
): { y: Float64Array; nextPast: Float64Array } {
  const before = filter.length / channels - 1;
  /** Returns the input of a token; tokens before the first have negative indices. */
  const at = (b: number, t: number, d: number) => {
    if (t >= 0) return x[(b * length + t) * channels + d];
    return past ? past[(b * before + before + t) * channels + d] : 0;
  };
  const y = new Float64Array(batch * length * channels);
  const nextPast = new Float64Array(batch * before * channels);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let t = 0; t < length; t++) {
        let sum = bias[d];
        for (let back = 0; back <= before; back++) {
          sum += filter[(before - back) * channels + d] * at(b, t - back, d);
        }
        y[(b * length + t) * channels + d] = activation(sum);
      }
      for (let k = 0; k < before; k++) {
        nextPast[(b * before + k) * channels + d] = at(b, length - before + k, d);
      }
    }
  }
  return { y, nextPast };
}

/** A fault: reads what precedes each item but the first in memory, the last inputs of the previous item. */
function pastInMemory({ inputs: { x, past }, shapes }: KernelArguments): Float32Array {
  const [batch, length, channels] = shapes.x;
  const before = shapes.filter[0] - 1;
  return Float32Array.from({ length: batch * before * channels }, (_, i) => {
    const b = Math.floor(i / (before * channels));
    const back = before - (Math.floor(i / channels) % before);
    if (b > 0 && back <= length) return x[(b * length - back) * channels + (i % channels)];
    return past ? past[i] : 0;
  });
}
