/**
 * Tests every kind of image that GrootV accepts, and the errors for all others. Elements of a page:
 * ../image/browser.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { readImage } from '../../node/index.js';
import { onBackend } from '../../testing/backends.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV, type ImageInput, prepareImage, type RgbImage } from '../index.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = join(ROOT, 'examples', 'digits');
const CAT = join(ROOT, 'examples', 'photos', 'chelsea.png');

async function load(file: string): Promise<GrootV> {
  const { model, sink } = await loadConverted(file);
  model.dispose();
  return GrootV.load(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
}

function rgba({ width, height, data }: RgbImage) {
  const pixels = new Uint8ClampedArray(width * height * 4).map((_, i) =>
    i % 4 === 3 ? i % 256 : data[((i / 4) | 0) * 3 + (i % 4)],
  );
  return { width, height, data: pixels };
}

t.test('the digits of examples/ come out right, whatever they are given as', async (t) => {
  await onBackend('wasm', async () => {
    const model = await load('grootv/grootv_nano_mnist.pth');
    const files = readdirSync(DIGITS).filter((name) => name.endsWith('.png'));
    const paths = files.map((name) => join(DIGITS, name));
    const rows = await model.classify(paths, { top: 1 });
    const right = rows.filter(([best], i) => best.label === /label-(\d)/.exec(files[i])?.[1]);
    t.equal(right.length, 14);
    const tensors = await Promise.all(
      paths.map(async (path) => {
        const { data, height, width } = await readImage(path);
        return tf.tensor3d(data, [height, width, 3], 'int32');
      }),
    );
    t.same(await model.classify(tensors, { top: 1 }), rows, 'a list of tensors');
    const stacked = tf.stack(tensors) as tf.Tensor4D;
    t.same(await model.classify(stacked, { top: 1 }), rows, 'a batch');
    tf.dispose([tensors, stacked]);
    model.dispose();
  });
});

t.test('every kind of input of one image is the same image', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await load('grootv/grootv_tiny_module.pth');
    const { size } = model.metadata.preprocessing;
    const image = await readImage(CAT);
    const { width, height, data } = image;
    const prepared = prepareImage(image, model.metadata.preprocessing);
    const expected = Float32Array.from(prepared.data);
    const bytes = readFileSync(CAT);
    const float = tf.tensor3d(Float32Array.from(data), [height, width, 3]);
    const withAlpha = tf.tensor3d(Int32Array.from(rgba(image).data), [height, width, 4], 'int32');
    const ready = tf.tensor3d(expected, [size, size, 3]);
    const inputs: Record<string, ImageInput> = {
      path: CAT,
      URL: pathToFileURL(CAT),
      'URL as text': pathToFileURL(CAT).href,
      Blob: new Blob([bytes]),
      bytes,
      ArrayBuffer: new Uint8Array(bytes).buffer,
      'RGB pixels': image,
      'RGBA pixels': rgba(image),
      'prepared pixels': prepared,
      float,
      'RGBA tensor': withAlpha,
      'a batch of one': tf.expandDims<tf.Tensor4D>(float),
      'a prepared tensor': ready,
    };
    for (const [name, input] of Object.entries(inputs)) {
      const tensor = await model.prepare(input);
      t.same([tensor.shape, tensor.dtype], [[1, size, size, 3], 'float32'], name);
      t.ok(Buffer.compare(Buffer.from(tensor.dataSync().buffer), Buffer.from(expected.buffer)) === 0, name);
      tensor.dispose();
    }
    const exact = tf.tensor3d(
      expected.map((value) => value * 0.97 + 0.001),
      [size, size, 3],
    );
    const passed = await model.prepare(exact);
    t.same(passed.dataSync(), exact.dataSync(), 'a tensor of the model size is not rounded');
    const raw = await model.prepare(float, { prepare: false });
    t.same(raw.shape, [1, height, width, 3], 'prepare: false');
    t.same(raw.dataSync(), float.dataSync());
    const sevens = tf.fill<tf.Rank.R3>([4, 4, 1], 7);
    const grey = await model.prepare(sevens);
    t.ok(
      grey.dataSync().every((value) => value === 7),
      'grey is repeated',
    );

    const tree = await model.tree(prepared);
    t.same(await model.tree(ready), tree, 'a tree of pixels and of a tensor');
    t.same(await model.tree(CAT, { size: 16 }), await model.tree(float, { size: 16 }));
    const at = { x: 300.5, y: 17 };
    const map = await model.affinity(CAT, { ...at, size: 32 });
    t.same(map.anchor, {
      x: Math.floor((at.x * map.width) / width),
      y: Math.floor((at.y * map.height) / height),
    });
    tf.dispose([inputs as unknown as tf.TensorContainer, exact, passed, raw, sevens, grey]);
    model.dispose();
  });
  t.equal(leaked, 0, 'no tensor is left behind');
});

t.test('many images are done a few at a time, and a signal ends them', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await load('grootv/grootv_tiny_module.pth');
    const { size } = model.metadata.preprocessing;
    const pixels = (i: number, side = size) => ({
      width: side,
      height: side,
      data: new Uint8Array(side * side * 3).fill(7 * i),
    });
    const predicted: number[] = [];
    const { logits } = model;
    model.logits = (images) => {
      predicted.push(images.shape[0]);
      return logits.call(model, images);
    };
    const images = Array.from({ length: 19 }, (_, i) => pixels(i));
    const rows = await model.classify(images, { top: 2 });
    t.equal(rows.length, 19);
    t.same([size, model.imagesPerPrediction, predicted.splice(0)], [224, 8, [8, 8, 3]]);
    const small = Array.from({ length: 67 }, (_, i) => pixels(i, 32));
    await model.classify(small, { prepare: false });
    t.same(predicted, [64, 3], 'more small ones');
    t.same(rows[17], (await model.classify(images[17], { top: 2 }))[0]);
    const mixed = await model.classify(
      [{ ...pixels(1) }, { width: 8, height: 24, data: new Uint8Array(576) }],
      {
        prepare: false,
      },
    );
    t.equal(mixed.length, 2, 'two sizes, not prepared');
    const signal = AbortSignal.abort(new Error('enough'));
    await t.rejects(model.classify(images, { signal }), { message: 'enough' });
    await t.rejects(model.tree(images[0], { signal }), { message: 'enough' });
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('what is not an image is told in one clear line', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await load('grootv/grootv_tiny_module.pth');
    const made: tf.Tensor[] = [];
    const keep = <T extends tf.Tensor>(tensor: T): T => {
      made.push(tensor);
      return tensor;
    };
    const gone = tf.zeros<tf.Rank.R3>([32, 32, 3]);
    gone.dispose();
    const image = keep(tf.zeros<tf.Rank.R3>([32, 32, 3]));
    const cases: [string, unknown, RegExp, object?][] = [
      ['undefined', undefined, /expected a tensor, an <img>.*, got undefined$/],
      ['null', null, /got null$/],
      ['a number', 7, /got a number$/],
      ['a function', () => {}, /got a function$/],
      ['an object', {}, /got an object \(Object\)$/],
      ['arrays in arrays', [[[1, 2, 3]]], /image 1 of 1: expected .*got an array of arrays$/],
      ['an empty list', [], /expected at least one image, got an empty list$/],
      [
        'a bad image of a list',
        [image, 'nowhere.png'],
        /image 2 of 2: cannot read image "nowhere.png": no such file$/,
      ],
      [
        'rank 2',
        keep(tf.zeros([32, 32])),
        /the image has shape \[32, 32\], expected \[H, W, 3\] or \[N, H, W, 3\]$/,
      ],
      ['rank 5', keep(tf.zeros([1, 1, 32, 32, 3])), /shape \[1, 1, 32, 32, 3\], expected/],
      ['two channels', keep(tf.zeros([32, 32, 2])), /shape \[32, 32, 2\], expected/],
      ['no pixel', keep(tf.zeros([0, 0, 3])), /shape \[0, 0, 3\]: it is empty/],
      ['no image', keep(tf.zeros([0, 32, 32, 3])), /shape \[0, 32, 32, 3\]: it is empty/],
      ['bool', keep(tf.zeros([32, 32, 3], 'bool')), /dtype bool, expected float32 or int32/],
      ['text', keep(tf.fill([32, 32, 3], 'a', 'string')), /dtype string, expected float32 or int32/],
      ['disposed', gone, /the tensor of the image has been disposed$/],
      ['NaN', keep(tf.fill([32, 32, 3], Number.NaN)), /the image holds NaN, expected values from 0 to 255$/],
      ['NaN, as it is', keep(tf.fill([32, 32, 3], Number.NaN)), /not finite$/, { prepare: false }],
      ['infinite', keep(tf.fill([40, 32, 3], Number.POSITIVE_INFINITY)), /the image holds Infinity/],
      ['below 0', keep(tf.fill([40, 32, 3], -2)), /values from -2 to -2, expected 0 to 255 \(prepare: false/],
      ['from 0 to 1', keep(tf.fill([40, 32, 3], 0.25)), /expected 0 to 255: multiply by 255/],
      ['no pixels', { width: 0, height: 4, data: new Uint8Array(0) }, /a width of at least 1, got 0$/],
      ['too few', { width: 4, height: 4, data: new Uint8Array(5) }, /4 x 4 pixels have 16 .* bytes, got 5$/],
      ['floats', { width: 1, height: 1, data: new Float32Array(3) }, /Uint8Array or Uint8ClampedArray, got/],
      ['a bomb', { width: 1e5, height: 1e5, data: new Uint8Array(1) }, /at most 100000000 are read$/],
      ['an empty Blob', new Blob([]), /the file is empty$/],
      ['a path', 'nowhere.png', /cannot read image "nowhere.png": no such file$/],
      ['top 0', image, /top is 0, expected an integer of at least 1$/, { top: 0 }],
      ['top -1', image, /top is -1/, { top: -1 }],
      ['top 1.5', image, /top is 1.5/, { top: 1.5 }],
      ['top NaN', image, /top is NaN/, { top: Number.NaN }],
    ];
    for (const [name, input, message, options] of cases) {
      const error = await model.classify(input as ImageInput, options).catch((error: Error) => error);
      t.ok(error instanceof Error && error.constructor === Error, name);
      t.match(error, { message }, name);
      t.match((error as Error).message, /^GrootV\.classify: [^\n]*$/, name);
      if (options || Array.isArray(input)) continue;
      const ofTree = await model.tree(input as ImageInput).catch((error: Error) => error);
      if (!/NaN|infinite|below 0|from 0 to 1/.test(name))
        t.match(ofTree, { message: /^GrootV\.tree: / }, name);
    }
    await t.rejects(model.affinity(image, undefined as never), { message: /expected options with x and y/ });
    await t.rejects(model.affinity(image, {} as never), { message: /\(undefined, undefined\) is outside/ });
    await t.rejects(model.tree(image, { size: 1.5 }), {
      message: /GrootV.tree: .*short side must be a whole number/,
    });
    t.throws(() => model.logits(undefined as never), { message: /GrootV.logits: expected a tensor/ });
    model.dispose();
    await t.rejects(model.classify(image), { message: /the model has been disposed/ });
    await t.rejects(model.tree(image), { message: /the model has been disposed/ });
    tf.dispose(made);
  });
  t.equal(leaked, 0);
});
