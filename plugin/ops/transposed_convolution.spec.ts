import { activated } from './activations.spec.js';
import { after, always, without } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';
import { TransposedConvolution } from './transposed_convolution.js';

export const transposedConvolutionSpec = defineSpec(TransposedConvolution, {
  sumsProducts: true,
  formula: ({ inputs: { x, weights, bias }, shapes, attributes: { rows, columns, activation } }) => {
    const [batch, height, width, inputs] = shapes.x;
    const [, all] = shapes.weights;
    const outputs = all / (rows * columns);
    const y = Float64Array.from({ length: batch * height * width * all }, (_, at) => {
      const o = at % outputs;
      const j = Math.floor(at / outputs) % (width * columns);
      const i = Math.floor(at / outputs / (width * columns)); // counted over all images
      const pixel = Math.floor(i / rows) * width + Math.floor(j / columns);
      const column = ((i % rows) * columns + (j % columns)) * outputs + o;
      let sum = bias ? bias[column] : 0;
      for (let k = 0; k < inputs; k++) sum += x[pixel * inputs + k] * weights[k * all + column];
      return activated(activation, sum);
    });
    return { y };
  },
  tolerance: { float32: 2e-6, shader: 1e-5, reason: 'a sum of I products and an activation' },
  samples: (random) =>
    (
      [
        { image: [1, 2, 3, 8], tile: [2, 2, 8], bias: true, activation: 'relu' },
        // Tile rows that end within eight columns, and fewer pixels than a tile of a matrix product has.
        { image: [2, 3, 3, 5], tile: [2, 2, 3], bias: true, activation: 'none' },
        { image: [1, 1, 3, 7], tile: [3, 1, 2], bias: false, activation: 'silu' },
        { image: [1, 1, 1, 4], tile: [1, 4, 5], bias: true, activation: 'gelu' },
        { image: [2, 5, 7, 3], tile: [1, 1, 9], bias: false, activation: 'none' },
        { image: [0, 2, 2, 3], tile: [2, 2, 1], bias: true, activation: 'relu' },
      ] as const
    ).map(({ image, tile: [rows, columns, outputs], bias, activation }) => ({
      what: `${image} to ${rows} x ${columns} of ${outputs}${bias ? ', bias' : ''}, ${activation}`,
      inputs: {
        x: random.tensor(image),
        weights: random.tensor([image[3], rows * columns * outputs]),
        ...(bias && { bias: random.tensor([rows * columns * outputs]) }),
      },
      attributes: { rows, columns, activation },
      // Finite differences cross the kink of relu.
      withoutGradient: activation === 'relu',
    })),
  faults: {
    'the bias is missing': without('bias'),
    'the activation is missing': always({ activation: 'none' }),
    'tiles lie one behind the other': after(({ outputs: { y }, shapes, attributes }) => {
      const [batch, height, width] = shapes.x;
      const line = y.length / (batch * height * width * (attributes.rows as number));
      const given = y.slice();
      for (let from = 0; from < y.length; from += line) {
        const p = Math.floor(from / line / width) % (attributes.rows as number);
        const pixel =
          Math.floor(from / line / width / (attributes.rows as number)) * width + ((from / line) % width);
        y.set(given.subarray(from, from + line), (pixel * (attributes.rows as number) + p) * line);
      }
    }),
  },
});
