/** Image layers against their definitions in PyTorch's documentation, in float64 and channels-first. */
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import '../../plugin/index.js';
import { Random } from '../../plugin/ops/spec/random.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { relativeDifference } from '../../testing/measure.js';
import { MemorySink } from '../index.js';
import { elementsOf, type Parameter, Parameters } from '../parameters.js';
import '../../plugin/index.js';
import { GraphBuilder, type Output } from './graph_builder.js';
import { ImageLayers } from './image_layers.js';
import { writeModel } from './model_writer.js';

/** An image [N, C, H, W]. */
interface Image {
  readonly shape: readonly [number, number, number, number];
  readonly at: (n: number, c: number, y: number, x: number) => number;
}

const random = new Random(3);
const SHAPE = [2, 3, 7, 6] as const;

function parameters(shapes: Readonly<Record<string, readonly number[]>>): {
  module: Parameters;
  values: Record<string, Float32Array>;
} {
  const values: Record<string, Float32Array> = {};
  const state = new Map<string, Parameter>();
  for (const [name, shape] of Object.entries(shapes)) {
    const drawn = random.floats(elementsOf(shape), () =>
      name === 'running_var' ? 0.5 + random.next() : random.normal(),
    );
    values[name] = drawn;
    state.set(`m.${name}`, { shape, elements: drawn.length, readFloat32: async () => drawn });
  }
  return { module: new Parameters(state, 'm'), values };
}

/** Builds a graph of a single layer, runs it on an image on every backend, and compares. */
async function check(
  what: string,
  build: (layers: ImageLayers, x: Output) => Output,
  define: (x: Image) => Image,
): Promise<void> {
  const [batch, channels, height, width] = SHAPE;
  const pixels = random.floats(elementsOf(SHAPE), () => random.normal());
  const image: Image = {
    shape: SHAPE,
    // Stored channels-last.
    at: (n, c, y, x) => pixels[((n * height + y) * width + x) * channels + c],
  };
  const expected = define(image);
  const [n, c, h, w] = expected.shape;
  const values = Float64Array.from({ length: n * c * h * w }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / c), i % c];
    return expected.at(Math.floor(pixel / (h * w)), channel, Math.floor(pixel / w) % h, pixel % w);
  });
  const layers = new ImageLayers(new GraphBuilder());
  const output = build(layers, layers.graph.placeholder('x', [-1, -1, -1, channels]));
  const sink = new MemorySink();
  await writeModel(layers.graph, sink);
  for (const backend of BACKENDS) {
    await t.test(`${what} on ${backend}`, async (t) => {
      const { leaked } = await onBackend(backend, async () => {
        const model = await loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
        const x = tf.tensor4d(pixels, [batch, height, width, channels]);
        const y = model.execute({ x }, output) as tf.Tensor;
        t.same(y.shape, [n, h, w, c]);
        t.ok(relativeDifference(y.dataSync(), values) <= 1e-6, `${relativeDifference(y.dataSync(), values)}`);
        tf.dispose([x, y]);
        model.dispose();
      });
      t.equal(leaked, 0);
    });
  }
}

/** The pixels of the image, and `outside` beyond its edges. */
function padded({ shape: [, , height, width], at }: Image, outside = 0): Image['at'] {
  return (n, c, y, x) => (y < 0 || x < 0 || y >= height || x >= width ? outside : at(n, c, y, x));
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

for (const { kernel, stride, padding, dilation, bias, activation } of [
  { kernel: [3, 3], stride: 1, padding: undefined, dilation: 1, bias: false, activation: 'none' },
  { kernel: [1, 1], stride: 1, padding: undefined, dilation: 1, bias: true, activation: 'relu' },
  { kernel: [3, 3], stride: 2, padding: [1, 1], dilation: 1, bias: true, activation: 'none' },
  { kernel: [3, 1], stride: 1, padding: [2, 0], dilation: 2, bias: true, activation: 'relu' },
  { kernel: [5, 4], stride: 3, padding: [0, 2], dilation: 1, bias: false, activation: 'none' },
] as const) {
  const outputs = 4;
  const { module, values } = parameters({ weight: [outputs, 3, ...kernel], bias: [outputs] });
  const [rows, columns] = padding ?? kernel.map((extent) => (dilation * (extent - 1)) >> 1);
  await check(
    `convolution ${kernel}, stride ${stride}, padding ${rows},${columns}, dilation ${dilation}, ${activation}`,
    (layers, x) =>
      layers.convolution(module, x, {
        inputs: 3,
        outputs,
        kernel,
        stride,
        padding,
        dilation,
        bias,
        activation,
      }),
    (image) => {
      const [n, channels, height, width] = image.shape;
      const size = (extent: number, pad: number, of: number) =>
        Math.floor((extent + 2 * pad - dilation * (of - 1) - 1) / stride) + 1;
      const x = padded(image);
      const at: Image['at'] = (n, o, y, column) => {
        const sums = range(channels * kernel[0] * kernel[1]).map((i) => {
          const [k, l] = [Math.floor(i / kernel[1]) % kernel[0], i % kernel[1]];
          const c = Math.floor(i / (kernel[0] * kernel[1]));
          return (
            values.weight[o * channels * kernel[0] * kernel[1] + i] *
            x(n, c, y * stride + k * dilation - rows, column * stride + l * dilation - columns)
          );
        });
        const total = sum(sums) + (bias ? values.bias[o] : 0);
        return activation === 'relu' ? Math.max(0, total) : total;
      };
      return { shape: [n, outputs, size(height, rows, kernel[0]), size(width, columns, kernel[1])], at };
    },
  );
}

for (const { kernel, stride, padding, bias } of [
  { kernel: 2, stride: 2, padding: 0, bias: true },
  { kernel: 3, stride: 3, padding: 0, bias: false },
  { kernel: 4, stride: 2, padding: 1, bias: false },
  { kernel: 3, stride: 1, padding: 1, bias: true },
]) {
  const outputs = 2;
  const { module, values } = parameters({ weight: [3, outputs, kernel, kernel], bias: [outputs] });
  await check(
    `transposed convolution ${kernel}, stride ${stride}, padding ${padding}`,
    (layers, x) =>
      layers.transposedConvolution(module, x, { inputs: 3, outputs, kernel, stride, padding, bias }),
    (image) => {
      const [n, channels, height, width] = image.shape;
      const size = (extent: number) => (extent - 1) * stride - 2 * padding + kernel;
      const at: Image['at'] = (n, o, y, x) => {
        let total = bias ? values.bias[o] : 0;
        for (const c of range(channels)) {
          for (const i of range(height)) {
            for (const j of range(width)) {
              const [k, l] = [y + padding - i * stride, x + padding - j * stride];
              if (k < 0 || l < 0 || k >= kernel || l >= kernel) continue;
              total += image.at(n, c, i, j) * values.weight[((c * outputs + o) * kernel + k) * kernel + l];
            }
          }
        }
        return total;
      };
      return { shape: [n, outputs, size(height), size(width)], at };
    },
  );
}

{
  const shapes = { weight: [3], bias: [3], running_mean: [3], running_var: [3] };
  const { module, values } = parameters(shapes);
  for (const activation of ['none', 'relu'] as const) {
    await check(
      `batch normalisation, ${activation}`,
      (layers, x) => layers.batchNormalization(module, 3, x, 1e-3, activation),
      ({ shape, at }) => ({
        shape,
        at: (n, c, y, x) => {
          const { weight, bias, running_mean: mean, running_var: variance } = values;
          const value = ((at(n, c, y, x) - mean[c]) / Math.sqrt(variance[c] + 1e-3)) * weight[c] + bias[c];
          return activation === 'relu' ? Math.max(0, value) : value;
        },
      }),
    );
  }
}

{
  const [outputs, epsilon] = [4, 1e-3];
  const { module, values } = parameters({ weight: [outputs, 3, 3, 3] });
  const norm = parameters({
    weight: [outputs],
    bias: [outputs],
    running_mean: [outputs],
    running_var: [outputs],
  });
  await check(
    'a convolution with the batch normalisation behind it folded in',
    (layers, x) =>
      layers.convolution(module, x, {
        inputs: 3,
        outputs,
        bias: false,
        batchNorm: { module: norm.module, epsilon },
        activation: 'relu',
      }),
    (image) => {
      const [n, , height, width] = image.shape;
      const x = padded(image);
      const at: Image['at'] = (n, o, y, column) => {
        const terms = range(27).map(
          (i) =>
            values.weight[o * 27 + i] *
            x(n, Math.floor(i / 9), y + (Math.floor(i / 3) % 3) - 1, column + (i % 3) - 1),
        );
        const { weight, bias, running_mean: mean, running_var: variance } = norm.values;
        const centred = (sum(terms) - mean[o]) / Math.sqrt(variance[o] + epsilon);
        return Math.max(0, centred * weight[o] + bias[o]);
      };
      return { shape: [n, outputs, height, width], at };
    },
  );
}

/** F.interpolate to [height, width]. */
function interpolated(image: Image, [height, width]: readonly number[], alignCorners: boolean): Image {
  const [n, c, rows, columns] = image.shape;
  const source = (i: number, from: number, to: number) =>
    alignCorners ? (to > 1 ? (i * (from - 1)) / (to - 1) : 0) : Math.max(0, ((i + 0.5) * from) / to - 0.5);
  const at: Image['at'] = (n, c, y, x) => {
    const [v, u] = [source(y, rows, height), source(x, columns, width)];
    const [top, left] = [Math.floor(v), Math.floor(u)];
    const pixel = (i: number, j: number) =>
      image.at(n, c, Math.min(top + i, rows - 1), Math.min(left + j, columns - 1));
    const row = (i: number) => pixel(i, 0) * (1 - (u - left)) + pixel(i, 1) * (u - left);
    return row(0) * (1 - (v - top)) + row(1) * (v - top);
  };
  return { shape: [n, c, height, width], at };
}

for (const size of [
  [14, 12],
  [5, 9],
  [1, 1],
] as const) {
  for (const alignCorners of [false, true]) {
    await check(
      `bilinear to ${size}${alignCorners ? ', corners aligned' : ''}`,
      (layers, x) => layers.resize('resized', x, { method: 'bilinear', size, alignCorners }),
      (image) => interpolated(image, size, alignCorners),
    );
  }
  await check(
    `nearest to ${size}`,
    (layers, x) => layers.resize('resized', x, { method: 'nearest', size }),
    ({ shape: [n, c, rows, columns], at }) => ({
      shape: [n, c, ...size],
      at: (n, c, y, x) => at(n, c, Math.floor((y * rows) / size[0]), Math.floor((x * columns) / size[1])),
    }),
  );
}

await check(
  'resizing to another image, and concatenation',
  (layers, x) => {
    const half = layers.averagePooling('half', x, { kernel: 2 });
    const back = layers.resize('back', half, { method: 'bilinear', size: x });
    return layers.concatenation('both', [x, back]);
  },
  (image) => {
    const [n, c, rows, columns] = image.shape;
    const half: Image = {
      shape: [n, c, rows >> 1, columns >> 1],
      at: (n, c, y, x) => sum(range(4).map((i) => image.at(n, c, 2 * y + (i >> 1), 2 * x + (i & 1)))) / 4,
    };
    const back = interpolated(half, [rows, columns], false);
    return {
      shape: [n, 2 * c, rows, columns],
      at: (n, channel, y, x) => (channel < c ? image.at(n, channel, y, x) : back.at(n, channel - c, y, x)),
    };
  },
);

for (const [method, outside] of [
  ['maxPooling', Number.NEGATIVE_INFINITY],
  ['averagePooling', 0],
] as const) {
  await check(
    `${method} 3, stride 2, padding 1`,
    (layers, x) => layers[method]('pooled', x, { kernel: 3, stride: 2, padding: 1 }),
    (image) => {
      const [n, c, rows, columns] = image.shape;
      const x = padded(image, outside);
      const at: Image['at'] = (n, c, y, column) => {
        const values = range(9).map((i) => x(n, c, 2 * y - 1 + Math.floor(i / 3), 2 * column - 1 + (i % 3)));
        return method === 'maxPooling' ? Math.max(...values) : sum(values) / 9;
      };
      return { shape: [n, c, Math.floor((rows - 1) / 2) + 1, Math.floor((columns - 1) / 2) + 1], at };
    },
  );
}

t.test('a padding that leaves nothing of an edge pixel is refused', async (t) => {
  const layers = new ImageLayers(new GraphBuilder());
  const options = { inputs: 3, outputs: 2, kernel: 2, padding: 2, bias: false };
  t.throws(() => layers.transposedConvolution(new Parameters(new Map(), 'up'), 'x', options), {
    message: /up: padding 2,2, expected less than the kernel 2,2/,
  });
});
