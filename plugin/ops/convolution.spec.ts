import { activated, slopesOf } from './activations.spec.js';
import { Convolution, type ConvolutionAttributes } from './convolution.js';
import { always, before, without } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';
import { sizeOf } from './spec/tensor.js';

export const convolutionSpec = defineSpec(Convolution, {
  sumsProducts: true,
  formula: ({ inputs: { x, filter, bias }, shapes, attributes }) => ({
    y: convolutionOf(x, filter, bias, shapes.x, shapes.filter, attributes).map((sum) =>
      activated(attributes.activation, sum),
    ),
  }),
  gradient: ({ inputs: { x, filter, bias }, shapes, attributes }, { y: dy }) => {
    const sums = convolutionOf(x, filter, bias, shapes.x, shapes.filter, attributes);
    const dsums = slopesOf(attributes.activation, sums).map((slope, i) => slope * dy[i]);
    const [dx, dfilter] = [new Float64Array(x.length), new Float64Array(filter.length)];
    forEachProduct(shapes.x, shapes.filter, attributes, (i, pixel, weight) => {
      dx[pixel] += dsums[i] * filter[weight];
      dfilter[weight] += dsums[i] * x[pixel];
    });
    const dbias = bias && new Float64Array(bias.length);
    if (dbias) for (const [i, dsum] of dsums.entries()) dbias[i % dbias.length] += dsum;
    return { x: dx, filter: dfilter, ...(dbias && { bias: dbias }) };
  },
  tolerance: { float32: 2e-6, shader: 1e-5, reason: 'a sum of P*Q*I products, errors growing as its root' },
  samples: (random) =>
    (
      [
        { x: [1, 1, 1, 1], filter: [1, 1, 1] },
        { x: [2, 5, 6, 3], filter: [3, 3, 9], padding: [1, 1, 1, 1], bias: true },
        { x: [2, 7, 5, 4], filter: [3, 3, 5], strides: [2, 2], padding: [1, 1, 1, 1] },
        { x: [1, 9, 8, 2], filter: [2, 4, 3], strides: [2, 1], padding: [2, 0, 0, 3], bias: true },
        // Every position is a row of a matrix product: few, some and many rows.
        { x: [1, 1, 3, 6], filter: [1, 1, 4], activation: 'relu' },
        { x: [2, 3, 4, 7], filter: [1, 1, 9], bias: true, activation: 'gelu' },
        { x: [1, 17, 16, 4], filter: [1, 1, 3], bias: true, activation: 'silu' },
        // A 1 x 1 filter that skips positions, or reads zeros.
        { x: [1, 5, 4, 3], filter: [1, 1, 5], strides: [2, 3], activation: 'relu' },
        { x: [1, 3, 2, 2], filter: [1, 1, 4], padding: [1, 0, 0, 2], bias: true },
        { x: [1, 3, 3, 2], filter: [1, 1, 2], strides: [2, 2], padding: [1, 2, 1, 2] },
        // More positions than a block of patches has.
        { x: [1, 12, 9, 1], filter: [3, 3, 1], padding: [1, 1, 1, 1] },
        { x: [1, 2, 2, 5], filter: [5, 5, 2], padding: [2, 2, 2, 2], activation: 'silu' },
        // Enough channels and tiles of 2 x 2 positions for Winograd's method; some tiles extend beyond the edges. Finite
        // differences of so many values would take a minute, and some cross the kink of relu.
        {
          withoutGradient: true,
          x: [1, 11, 12, 20],
          filter: [3, 3, 16],
          padding: [1, 1, 1, 1],
          bias: true,
          activation: 'relu',
        },
        { withoutGradient: true, x: [1, 12, 14, 16], filter: [3, 3, 20], padding: [0, 1, 2, 0] },
      ] as const
    ).map(({ x, filter: [rows, columns, outputs], ...rest }) => {
      const {
        strides = [1, 1],
        padding = [0, 0, 0, 0],
        bias = false,
        activation = 'none',
        withoutGradient,
      } = rest as {
        withoutGradient?: boolean;
        strides?: number[];
        padding?: number[];
        bias?: boolean;
        activation?: string;
      };
      return {
        what: `${x} by ${rows} x ${columns} to ${outputs}, strides ${strides}, padding ${padding}${bias ? ', bias' : ''}, ${activation}`,
        inputs: {
          x: random.tensor(x),
          filter: random.tensor([rows, columns, x[3], outputs]),
          ...(bias && { bias: random.tensor([outputs]) }),
        },
        attributes: { strides, padding, activation },
        withoutGradient,
      };
    }),
  faults: {
    'the bias is missing': without('bias'),
    'rows and columns of the padding are exchanged': before(({ attributes }) => {
      const [top, bottom, left, right] = attributes.padding as readonly number[];
      return { attributes: { ...attributes, padding: [left, right, top, bottom] } };
    }),
    'no stride': always({ strides: [1, 1] }),
    'the activation is missing': always({ activation: 'none' }),
  },
});

/** bias + the sums of x times a filter, with zeros around the image. */
export function convolutionOf(
  x: Values,
  filter: Values,
  bias: Values | undefined,
  image: readonly number[],
  shape: readonly number[],
  attributes: ConvolutionAttributes,
): Float64Array {
  const outputs = shape[3];
  const y = new Float64Array(sizeOf(outputShape(image, shape, attributes)));
  if (bias) for (let i = 0; i < y.length; i++) y[i] = bias[i % outputs];
  forEachProduct(image, shape, attributes, (i, pixel, weight) => {
    y[i] += x[pixel] * filter[weight];
  });
  return y;
}

function outputShape(
  [batch, height, width]: readonly number[],
  [rows, columns, , outputs]: readonly number[],
  { strides, padding: [top, bottom, left, right], dilations = [1, 1] }: ConvolutionAttributes,
): [number, number, number, number] {
  return [
    batch,
    Math.floor((height + top + bottom - (rows - 1) * dilations[0] - 1) / strides[0]) + 1,
    Math.floor((width + left + right - (columns - 1) * dilations[1] - 1) / strides[1]) + 1,
    outputs,
  ];
}

/** Visits the terms of all sums: the indices of the sum, of the pixel's channel and of the filter's value. */
function forEachProduct(
  image: readonly number[],
  shape: readonly number[],
  attributes: ConvolutionAttributes,
  visit: (i: number, pixel: number, weight: number) => void,
): void {
  const [, height, width, inputs] = image;
  const [rows, columns, , outputs] = shape;
  const { strides, padding, dilations = [1, 1] } = attributes;
  const [top, , left] = padding;
  const [batch, outHeight, outWidth] = outputShape(image, shape, attributes);
  for (let i = 0; i < batch * outHeight * outWidth * outputs; i++) {
    const o = i % outputs;
    const j = Math.floor(i / outputs) % outWidth;
    const k = Math.floor(i / outputs / outWidth) % outHeight;
    const n = Math.floor(i / outputs / outWidth / outHeight);
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        const above = k * strides[0] + p * dilations[0] - top;
        const beside = j * strides[1] + q * dilations[1] - left;
        if (above < 0 || above >= height || beside < 0 || beside >= width) continue;
        const pixel = ((n * height + above) * width + beside) * inputs;
        const weight = (p * columns + q) * inputs * outputs + o;
        for (let c = 0; c < inputs; c++) visit(i, pixel + c, weight + c * outputs);
      }
    }
  }
}
