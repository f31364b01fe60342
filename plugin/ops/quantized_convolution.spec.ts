import { convolutionOf } from './convolution.spec.js';
import { QuantizedConvolution } from './quantized_convolution.js';
import { quantizedTensors, roundedRowsBound, weightsOf } from './quantized_linear.spec.js';
import { always, before, mapped, without } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';

export const quantizedConvolutionSpec = defineSpec(QuantizedConvolution, {
  formula: ({ inputs: { x, codes, scales, bias }, shapes, attributes }) => {
    const { rows, columns, activation } = attributes;
    const channels = shapes.x[3];
    const filter = weightsOf(codes, scales, rows * columns * channels);
    const sums = convolutionOf(
      x,
      filter,
      bias,
      shapes.x,
      [rows, columns, channels, scales.length],
      attributes,
    );
    return { y: activation === 'relu' ? sums.map((sum) => Math.max(sum, 0)) : sums };
  },
  tolerance: (tolerance, { inputs }) => roundedRowsBound(inputs, tolerance),
  differentiable: [],
  samples: (random) =>
    (
      [
        { x: [1, 1, 1, 1], filter: [1, 1, 1], attributes: {} },
        {
          x: [2, 5, 6, 3],
          filter: [3, 3, 9],
          attributes: { padding: [1, 1, 1, 1], activation: 'relu' },
          bias: true,
        },
        { x: [2, 7, 5, 4], filter: [3, 3, 5], attributes: { strides: [2, 2], padding: [1, 1, 1, 1] } },
        {
          x: [1, 9, 8, 2],
          filter: [2, 4, 3],
          attributes: { strides: [2, 1], padding: [2, 0, 0, 3] },
          bias: true,
        },
        { x: [1, 9, 8, 5], filter: [3, 2, 8], attributes: { dilations: [2, 3], padding: [2, 2, 1, 1] } },
        // Pixels that are already rows, and more positions than a chunk of patches has.
        { x: [2, 3, 3, 20], filter: [1, 1, 11], attributes: { activation: 'relu' }, bias: true },
        { x: [1, 12, 9, 1], filter: [3, 3, 1], attributes: { padding: [1, 1, 1, 1] } },
      ] as const
    ).map(({ x, filter: [rows, columns, outputs], attributes, ...rest }) => ({
      what: `${x} by ${rows} x ${columns} to ${outputs}, ${JSON.stringify(attributes).replace(/[{}"]/g, '')}`,
      inputs: {
        x: random.tensor(x),
        ...quantizedTensors(random, rows * columns * x[3], outputs),
        ...('bias' in rest && { bias: random.tensor([outputs]) }),
      },
      attributes: { rows, columns, ...attributes },
    })),
  faults: {
    'the bias is missing': without('bias'),
    'the scales are missing': mapped('scales', () => 1),
    'the activation is missing': always({ activation: 'none' }),
    'no dilation': before(({ attributes }) => {
      const { padding, dilations } = attributes as Record<string, readonly number[]>;
      const [top, bottom, left, right] = padding;
      const { rows, columns } = attributes as Record<string, number>;
      // Reduces the padding so that the output has the size of an undilated filter's.
      const less = [(rows - 1) * (dilations[0] - 1), (columns - 1) * (dilations[1] - 1)];
      return {
        attributes: {
          ...attributes,
          dilations: [1, 1],
          padding: [top, bottom - less[0], left, right - less[1]],
        },
      };
    }),
  },
});
