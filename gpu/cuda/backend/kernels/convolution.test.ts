/** Tests convolution.ts and depthwise_convolution.ts against tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t from 'tap';
import { checkConvolutionGradients } from '../../../../testing/convolution_gradients.js';
import { compareSums, deviceBytes, random } from '../testing/compare.js';
import { onBoth, relativeDifference, startCuda } from '../testing/cuda_backend.js';

await startCuda();

type Pad = 'same' | 'valid' | number | tf.backend_util.ExplicitPadding;
const EXPLICIT: Pad = [
  [0, 0],
  [2, 1],
  [0, 3],
  [0, 0],
];

interface Case {
  readonly image: readonly [images: number, height: number, width: number, channels: number];
  readonly filter: readonly [height: number, width: number, outputs: number];
  readonly strides?: number | [number, number];
  readonly pad?: Pad;
  readonly dilations?: number | [number, number];
}

const CASES: readonly Case[] = [
  { image: [1, 1, 1, 1], filter: [1, 1, 1] },
  { image: [1, 8, 9, 3], filter: [3, 3, 20] },
  { image: [3, 8, 9, 3], filter: [3, 3, 5], strides: 2, pad: 'same' },
  { image: [2, 7, 5, 70], filter: [1, 1, 66] },
  { image: [2, 7, 5, 6], filter: [1, 1, 4], strides: 2 },
  { image: [1, 12, 11, 4], filter: [3, 2, 8], dilations: [2, 3], pad: 'same' },
  { image: [2, 9, 9, 5], filter: [4, 3, 7], strides: [2, 1], pad: EXPLICIT },
  { image: [1, 9, 9, 5], filter: [3, 3, 7], pad: 1 },
  { image: [1, 7, 7, 80], filter: [3, 3, 9], strides: 2, pad: 'same' }, // long sums
  { image: [1, 3, 3, 2], filter: [3, 3, 2] },
  { image: [1, 3, 3, 2], filter: [5, 5, 2], pad: 'same' },
  { image: [2, 30, 30, 2], filter: [3, 3, 3], pad: 'same' }, // long sums in the filter's gradient
];

const sized = (shape: readonly number[], seed: number) => random([...shape], seed) as tf.Tensor4D;

t.test('convolutions and their gradients', async (t) => {
  const empty = deviceBytes();
  for (const options of CASES) {
    const { image, filter, strides = 1, pad = 'valid', dilations = 1 } = options;
    const [images, height, width, channels] = image;
    const filterShape = [filter[0], filter[1], channels, filter[2]];
    for (const format of ['NHWC', 'NCHW'] as const) {
      const shape = format === 'NHWC' ? image : [images, channels, height, width];
      // Explicit pads are given for each axis of the image.
      const pads = format === 'NCHW' && Array.isArray(pad) ? [pad[0], pad[3], pad[1], pad[2]] : pad;
      const run = (x: tf.Tensor, weights: tf.Tensor) =>
        tf.conv2d(x as tf.Tensor4D, weights as tf.Tensor4D, strides, pads as Pad, format, dilations);
      const what = JSON.stringify({ ...options, format });
      await compareSums(t, what, () => run(sized(shape, 1), sized(filterShape, 2)));
      if (dilations !== 1) continue;
      const gradients = tf.grads((x: tf.Tensor, weights: tf.Tensor) => tf.sum(tf.square(run(x, weights))));
      await compareSums(t, `gradients, ${what}`, () => gradients([sized(shape, 1), sized(filterShape, 2)]));
    }
  }
  t.equal(deviceBytes(), empty, 'no memory is kept');
});

t.test('convolutions with bias and activation', async (t) => {
  const activations = ['linear', 'relu', 'relu6', 'elu', 'prelu', 'leakyrelu', 'sigmoid'] as const;
  for (const activation of activations) {
    for (const dataFormat of ['NHWC', 'NCHW'] as const) {
      for (const [size, channels] of [
        [1, 7], // one pixel: a matrix product
        [3, 7],
        [3, 90], // long sums
      ]) {
        for (const extra of [[6], [1], undefined]) {
          const what = `${activation} ${dataFormat} ${size} ${channels} [${extra}]`;
          await compareSums(t, what, () =>
            tf.fused.conv2d({
              x: sized(dataFormat === 'NHWC' ? [2, 5, 6, channels] : [2, channels, 5, 6], 1),
              filter: sized([size, size, channels, 6], 2),
              strides: 1,
              pad: 'same',
              dataFormat,
              bias: extra && random(extra, 3),
              activation,
              leakyreluAlpha: 0.3,
              preluActivationWeights: activation === 'prelu' ? random(extra ?? [6], 4) : undefined,
            }),
          );
        }
      }
    }
  }
  await compareSums(t, 'slopes for each pixel', () =>
    tf.fused.conv2d({
      x: sized([1, 5, 6, 3], 1),
      filter: sized([3, 3, 3, 4], 2),
      strides: 1,
      pad: 'same',
      bias: random([4], 3),
      activation: 'prelu',
      preluActivationWeights: random([5, 6, 4], 4),
    }),
  );
});

t.test('depthwise convolutions and their gradients', async (t) => {
  const empty = deviceBytes();
  for (const options of CASES) {
    const { image, filter, strides = 1, pad = 'valid', dilations = 1 } = options;
    for (const [channels, multiplier] of [
      [image[3], 1],
      [image[3], 3],
      [12, 1],
    ]) {
      const from = [...image.slice(0, 3), channels];
      const shape = [filter[0], filter[1], channels, multiplier];
      const run = (x: tf.Tensor, weights: tf.Tensor) =>
        tf.depthwiseConv2d(
          x as tf.Tensor4D,
          weights as tf.Tensor4D,
          strides,
          pad as 'same',
          'NHWC',
          dilations,
        );
      const what = JSON.stringify({ ...options, channels, multiplier });
      await compareSums(t, what, () => run(sized(from, 1), sized(shape, 2)));
      if (dilations !== 1) continue;
      const gradients = tf.grads((x: tf.Tensor, weights: tf.Tensor) => tf.sum(tf.square(run(x, weights))));
      await compareSums(t, `gradients, ${what}`, () => gradients([sized(from, 1), sized(shape, 2)]));
    }
  }
  for (const [channels, multiplier] of [
    [3, 2],
    [8, 1],
  ]) {
    const outputs = channels * multiplier;
    for (const activation of ['linear', 'relu', 'prelu', 'sigmoid'] as const) {
      await compareSums(t, `bias and ${activation} of ${outputs}`, () =>
        tf.fused.depthwiseConv2d({
          x: sized([2, 5, 6, channels], 1),
          filter: sized([3, 3, channels, multiplier], 2),
          strides: 1,
          pad: 'same',
          bias: random([outputs], 3),
          activation,
          preluActivationWeights: activation === 'prelu' ? random([outputs], 4) : undefined,
        }),
      );
    }
  }
  t.equal(deviceBytes(), empty, 'no memory is kept');
});

t.test('transposed convolutions', async (t) => {
  for (const strides of [1, 2, 3]) {
    await compareSums(t, `strides ${strides}`, () =>
      tf.conv2dTranspose(
        sized([2, 5, 4, 3], 1),
        sized([3, 3, 6, 3], 2),
        [2, 5 * strides, 4 * strides, 6],
        strides,
        'same',
      ),
    );
  }
});

t.test('a transposed convolution of an image of another size than the shape asked for', async (t) => {
  const { expected, found } = await onBoth(() =>
    tf.conv2dTranspose(sized([1, 8, 8, 3], 1), sized([8, 8, 4, 3], 2), [1, 4, 4, 4], 1, 'same'),
  );
  t.ok(relativeDifference(expected[0], found[0]) < 1e-6);
  tf.dispose([expected, found]);
});

t.test('rounding of the extents', async (t) => {
  for (const mode of ['floor', 'round', 'ceil'] as const) {
    await compareSums(t, mode, () =>
      tf.conv2d(sized([1, 8, 7, 3], 1), sized([3, 3, 3, 4], 2), 2, 0, 'NHWC', 1, mode),
    );
  }
});

t.test('any sizes', async (t) => {
  const extent = fc.integer({ min: 1, max: 12 });
  const given = fc.tuple(
    fc.tuple(fc.integer({ min: 1, max: 3 }), extent, extent, extent),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), extent),
    fc.integer({ min: 1, max: 3 }),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(given, async ([image, [height, width, outputs], size, isStride]) => {
      await compareSums(t, JSON.stringify({ image, height, width, outputs, size, isStride }), () => {
        const [strides, dilations] = isStride ? [size, 1] : [1, size];
        const filter = sized([height, width, image[3], outputs], 2);
        return [
          tf.conv2d(sized(image, 1), filter, strides, 'same', 'NHWC', dilations),
          tf.depthwiseConv2d(sized(image, 1), filter, strides, 'same', 'NHWC', dilations),
        ];
      });
    }),
    { numRuns: 25, seed: 1 },
  );
});

t.test('gradients against sums in float64', async (t) => {
  await tf.setBackend('cuda');
  await checkConvolutionGradients(t, { bound: 4e-6, dilated: true });
});
