import type { Activation } from './activations.js';
import { activated } from './activations.spec.js';
import { DepthwiseConvolution } from './depthwise_convolution.js';
import { always, computing, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';

export const depthwiseConvolutionSpec = defineSpec(DepthwiseConvolution, {
  formula: ({ inputs: { x, filter }, shapes, attributes: { activation } }) => ({
    y: convolved(x, filter, shapes.x, shapes.filter).map((sum) => activated(activation, sum)),
  }),
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'a sum of P Q products and an activation' },
  samples: (random) =>
    (
      [
        { image: [2, 3, 4, 5], filter: [3, 3], activation: 'silu' },
        { image: [1, 5, 2, 8], filter: [3, 3], activation: 'none' },
        // Rows of one group of four columns, of several, and of overlapping groups.
        { image: [2, 2, 4, 4], filter: [3, 3], activation: 'none' },
        { image: [1, 3, 8, 8], filter: [3, 3], activation: 'silu' },
        { image: [2, 1, 7, 4], filter: [3, 3], activation: 'gelu' },
        { image: [0, 3, 5, 4], filter: [3, 3], activation: 'none' },
        { image: [1, 1, 1, 4], filter: [3, 3], activation: 'gelu' },
        { image: [1, 4, 6, 3], filter: [5, 1], activation: 'silu' },
        { image: [1, 4, 4, 4], filter: [2, 4], activation: 'none' },
      ] as const
    ).map(({ image, filter, activation }) => ({
      what: `${image} by ${filter}, ${activation}`,
      inputs: { x: random.tensor(image), filter: random.tensor([...filter, image[3], 1]) },
      attributes: { activation },
      // tfjs's gradients, of which this op's are composed, reject empty tensors on webgpu.
      withoutGradient: image[0] === 0,
    })),
  faults: {
    'the activation is missing': always({ activation: 'none' }),
    'the last row of the filter is missing': mapped('filter', (value, i, { shapes }) => {
      const [rows, columns, channels] = shapes.filter;
      return i >= (rows - 1) * columns * channels ? 0 : value;
    }),
    'rows of the image go on in the next': computing(({ inputs: { x, filter }, shapes, attributes }) => {
      const sums = convolved(x, filter, shapes.x, shapes.filter, true);
      return { y: sums.map((sum) => activated(attributes.activation as Activation, sum)) };
    }),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: { x: random.tensor([1, side, side, channels]), filter: random.tensor([3, 3, channels, 1]) },
      attributes: { activation: 'silu' },
    }),
  },
});

/**
 * Computes the sums.
 * @param wraps whether a column beyond an edge is read from the adjacent row, as it lies in memory
 */
function convolved(
  x: Values,
  filter: Values,
  [, height, width, channels]: readonly number[],
  [rows, columns]: readonly number[],
  wraps = false,
): Float64Array {
  return Float64Array.from(x, (_, at) => {
    const c = at % channels;
    const pixel = Math.floor(at / channels);
    const [i, j] = [Math.floor(pixel / width) % height, pixel % width];
    let sum = 0;
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        const [down, across] = [p - ((rows - 1) >> 1), q - ((columns - 1) >> 1)];
        if (i + down < 0 || i + down >= height) continue;
        if (!wraps && (j + across < 0 || j + across >= width)) continue;
        sum += (x[at + (down * width + across) * channels] ?? 0) * filter[(p * columns + q) * channels + c];
      }
    }
    return sum;
  });
}
