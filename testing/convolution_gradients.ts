/** A shared test: gradients of tfjs's convolutions on the current backend against sums in float64. */
import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../plugin/ops/spec/random.js';
import { relativeDifference } from './measure.js';

/** Test functions available in Node and in pages. */
interface Test {
  ok(value: boolean, what: string): unknown;
  equal<T>(given: T, expected: T, what: string): unknown;
}

type Pair = readonly [number, number];

interface Case {
  readonly image: readonly [batch: number, height: number, width: number, channels: number];
  /** Outputs, or outputs per channel of a depthwise convolution. */
  readonly filter: readonly [height: number, width: number, outputs: number];
  readonly strides?: Pair;
  readonly dilations?: Pair;
  readonly pad?: 'same' | 'valid' | number | readonly (readonly [number, number])[];
  readonly depthwise?: boolean;
}

const EXPLICIT = [
  [0, 0],
  [2, 1],
  [0, 3],
  [0, 0],
] as const;

const CASES: readonly Case[] = [
  { image: [1, 1, 1, 1], filter: [1, 1, 1] },
  { image: [1, 8, 9, 3], filter: [3, 3, 9], pad: 'same' },
  { image: [2, 7, 5, 6], filter: [1, 1, 4] },
  { image: [2, 7, 5, 6], filter: [1, 1, 4], strides: [2, 2] },
  { image: [3, 8, 9, 3], filter: [3, 3, 17], strides: [2, 2], pad: 'same' },
  { image: [1, 9, 7, 5], filter: [2, 4, 7], strides: [2, 1], pad: EXPLICIT },
  { image: [1, 9, 9, 5], filter: [3, 3, 1], pad: 1 },
  { image: [1, 3, 3, 2], filter: [5, 5, 2], pad: 'same' },
  { image: [2, 30, 29, 2], filter: [3, 3, 3], pad: 'same' }, // more positions than a block has
  { image: [1, 1, 1, 1], filter: [1, 1, 1], depthwise: true },
  { image: [1, 5, 6, 1], filter: [3, 3, 1], pad: 'same', depthwise: true },
  { image: [2, 7, 9, 21], filter: [3, 3, 1], pad: 'same', depthwise: true },
  { image: [2, 8, 7, 4], filter: [3, 3, 1], strides: [2, 2], pad: 'same', depthwise: true },
  { image: [1, 9, 9, 32], filter: [4, 2, 1], strides: [2, 2], pad: EXPLICIT, depthwise: true },
  { image: [1, 6, 7, 3], filter: [3, 3, 2], depthwise: true },
  { image: [1, 3, 3, 2], filter: [5, 5, 3], strides: [2, 2], pad: 'same', depthwise: true },
];

/** tfjs's own kernels support no dilation, and its gradients refuse it. */
const DILATED: readonly Case[] = [
  { image: [1, 12, 11, 4], filter: [3, 2, 1], dilations: [2, 3], pad: 'same', depthwise: true },
  { image: [2, 7, 7, 3], filter: [3, 3, 2], dilations: [2, 2], depthwise: true },
];

/**
 * @param bound relative to the largest value of a gradient
 * @param dilated whether the backend's kernels support dilation
 * @param every run only every n-th case
 */
export async function checkConvolutionGradients(
  t: Test,
  {
    bound,
    dilated,
    every = 1,
  }: { readonly bound: number; readonly dilated: boolean; readonly every?: number },
): Promise<void> {
  const before = tf.memory().numTensors;
  for (const one of [...CASES, ...(dilated ? DILATED : [])].filter((_, i) => i % every === every - 1)) {
    const random = new Random(7);
    const { image, filter, depthwise = false, strides = [1, 1], dilations = [1, 1], pad = 'valid' } = one;
    const filterShape = [filter[0], filter[1], image[3], filter[2]] as [number, number, number, number];
    const info = tf.backend_util.computeConv2DInfo(
      [...image],
      filterShape,
      [...strides],
      [...dilations],
      pad as 'same',
      undefined,
      depthwise,
    );
    const normal = (shape: readonly number[]) => random.tensor(shape).values as Float32Array;
    const values = { x: normal(image), filter: normal(filterShape), dy: normal(info.outShape) };
    const expected = gradients(info, values, depthwise);
    const given = tf.tidy(() => {
      const x = tf.tensor4d(values.x, [...image]);
      const weights = tf.tensor4d(values.filter, filterShape);
      const dy = tf.tensor4d(values.dy, info.outShape);
      const [sizes, padding] = [[...strides] as [number, number], pad as 'same'];
      if (`${dilations}` !== '1,1') {
        const attributes = { strides, pad, dilations, inputShape: image, filterShape };
        const run = (name: string, inputs: tf.NamedTensorMap) =>
          tf.engine().runKernel<tf.Tensor>(name, inputs, attributes as unknown as tf.NamedAttrMap);
        return [
          run(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter: weights }),
          run(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy }),
        ];
      }
      const run = depthwise ? tf.depthwiseConv2d : tf.conv2d;
      return tf.grads((x: tf.Tensor, weights: tf.Tensor) =>
        run(x as tf.Tensor4D, weights as tf.Tensor4D, sizes, padding),
      )([x, weights], dy);
    });
    for (const [i, name] of (['x', 'filter'] as const).entries()) {
      const difference = relativeDifference(await given[i].data(), expected[name]);
      t.ok(difference <= bound, `${JSON.stringify(one)}, gradient in ${name}: ${difference}`);
    }
    tf.dispose(given);
  }
  t.equal(tf.memory().numTensors, before, 'tensors');
}

/** By definition: sums over all products of a value of the image and one of the filter. */
function gradients(
  info: tf.backend_util.Conv2DInfo,
  { x, filter, dy }: Readonly<Record<'x' | 'filter' | 'dy', Float32Array>>,
  depthwise: boolean,
): { x: Float64Array; filter: Float64Array } {
  const [dx, dFilter] = [new Float64Array(x.length), new Float64Array(filter.length)];
  const { inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, filterWidth } = info;
  const outputs = depthwise ? outChannels / inChannels : outChannels;
  for (let position = 0; position < dy.length / outChannels; position++) {
    const column = position % outWidth;
    const row = Math.floor(position / outWidth) % outHeight;
    const n = Math.floor(position / outWidth / outHeight);
    for (let tap = 0; tap < info.filterHeight * filterWidth; tap++) {
      const y =
        row * info.strideHeight + Math.floor(tap / filterWidth) * info.dilationHeight - info.padInfo.top;
      const left = column * info.strideWidth + (tap % filterWidth) * info.dilationWidth - info.padInfo.left;
      if (y < 0 || y >= inHeight || left < 0 || left >= inWidth) continue;
      for (let c = 0; c < inChannels; c++) {
        const from = ((n * inHeight + y) * inWidth + left) * inChannels + c;
        for (let o = 0; o < outputs; o++) {
          const weight = (tap * inChannels + c) * outputs + o;
          const gradient = dy[position * outChannels + (depthwise ? c * outputs + o : o)];
          dx[from] += gradient * filter[weight];
          dFilter[weight] += gradient * x[from];
        }
      }
    }
  }
  return { x: dx, filter: dFilter };
}
