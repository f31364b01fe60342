import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import '../../node/index.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { SEGMENTER } from '../../testing/dense_metadata.js';
import { stubSegmenter } from '../../testing/stub_models.js';
import { drawSegmentation } from '../image/draw_segmentation.js';
import { Segmenter, type SegmentOptions } from './segmenter.js';

/** Red, green and blue thirds, side by side. */
function thirds(width: number, height: number) {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data[3 * i + Math.floor((3 * (i % width)) / width)] = 255;
  return { width, height, data };
}

/** tap's own comparison takes seconds for arrays of this length. */
function isSame(a: Uint16Array, b: Uint16Array): boolean {
  return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
}

const LABELS = ['wall', 'floor', 'cat'];

for (const backend of BACKENDS) {
  t.test(`an image is segmented at its own size, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const model = await Segmenter.load(await stubSegmenter());
      const image = thirds(192, 100);
      const { width, height, classMap, classes, overlay } = await model.segment(image, { overlay: true });
      t.same([width, height, classMap.length], [192, 100, 19200]);
      const wrong = classMap.filter((index, i) => {
        const third = Math.floor((3 * (i % 192)) / 192);
        return index !== third;
      });
      t.equal(wrong.length, 0, 'the borders fall on the grid of the logits');
      t.same(
        classes,
        LABELS.map((label, index) => ({ index, label, share: 1 / 3 })),
      );
      const drawn = drawSegmentation({ image, classMap, classes, colours: SEGMENTER.palette ?? [] });
      t.ok(overlay && Buffer.from(overlay.data).equals(drawn.data), 'the overlay');

      const tensor = tf.tensor3d(image.data, [100, 192, 3], 'int32');
      const batch = tf.expandDims<tf.Tensor4D>(tensor);
      for (const input of [tensor, batch])
        t.ok(isSame((await model.segment(input)).classMap, classMap), 'a tensor');
      const slid = await model.segment(image, { mode: 'slide', cropSize: [32, 40], stride: [16, 24] });
      t.ok(isSame(slid.classMap, classMap), 'windows whose trees would differ, but not their classes');
      const raw = await model.segment(tensor, { prepare: false });
      t.same([raw.width, raw.height], [192, 100], 'prepare: false');
      tf.dispose([tensor, batch]);
      model.dispose();
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });
}

t.test('windows: sizes, progress, and a signal between them', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await Segmenter.load(await stubSegmenter());
    const image = thirds(96, 64);
    const counts = async (options: SegmentOptions) => {
      const seen: string[] = [];
      const onProgress = (fraction: number, { done, total }: { done: number; total: number }) => {
        seen.push(`${done}/${total} ${fraction.toFixed(2)}`);
      };
      await model.segment(image, { ...options, onProgress });
      return seen;
    };
    t.same(await counts({}), ['1/1 1.00']);
    t.same(await counts({ mode: 'slide' }), ['1/2 0.50', '2/2 1.00'], 'squares of the short side');
    const four = { mode: 'slide', cropSize: [48, 64], stride: [32, 40] } as const;
    t.same(await counts(four), ['1/4 0.25', '2/4 0.50', '3/4 0.75', '4/4 1.00']);
    const controller = new AbortController();
    let windows = 0;
    const onProgress = () => {
      if (++windows === 2) controller.abort(new Error('enough'));
    };
    const { signal } = controller;
    await t.rejects(model.segment(image, { ...four, onProgress, signal }), { message: 'enough' });
    t.equal(windows, 2);
    await t.rejects(model.segment('nowhere.png', { signal }), { message: 'enough' });
    model.dispose();
    const inference = { mode: 'slide', cropSize: [64, 64], stride: [64, 64] } as const;
    const sliding = await Segmenter.load(await stubSegmenter({ inference, classNames: null, palette: null }));
    let total = 0;
    const { classes } = await sliding.segment(image, { onProgress: () => total++ });
    t.equal(total, 2, 'as the metadata says');
    t.equal(classes[0].label, 'class 0');
    t.equal(sliding.colours.length, 3);
    sliding.dispose();
  });
  t.equal(leaked, 0);
});

t.test('errors are one clear line', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await Segmenter.load(await stubSegmenter());
    const image = thirds(8, 8);
    const two = tf.zeros<tf.Rank.R4>([2, 8, 8, 3]);
    const nan = tf.fill<tf.Rank.R3>([8, 8, 3], Number.NaN);
    const cases: [unknown, object, RegExp][] = [
      [image, { mode: 'both' }, /mode is "both", expected "whole" or "slide"$/],
      [image, { cropSize: 5 }, /cropSize is 5, expected an array$/],
      [image, { mode: 'slide', cropSize: [8, 8], stride: [9, 8] }, /windows would leave gaps/],
      [image, { overlay: 1 }, /overlay is 1, expected true or false$/],
      [image, { signal: 1 }, /signal is 1, expected an AbortSignal$/],
      [image, { onProgress: 1 }, /onProgress is 1, expected a function$/],
      [two, {}, /a batch of 2 images was given, expected one image$/],
      [[image, image], {}, /expected one image, got a list of 2$/],
      [nan, {}, /the image holds NaN, expected values from 0 to 255$/],
      [nan, { prepare: false }, /the model answers NaN/],
      ['nowhere.png', {}, /cannot read image "nowhere.png": no such file$/],
      [undefined, {}, /expected a tensor, an <img>.*, got undefined$/],
    ];
    for (const [input, options, message] of cases) {
      const failed = model.segment(input as tf.Tensor3D, options);
      await t.rejects(failed, { message }, String(message));
      await t.rejects(failed, { message: /^Segmenter\.segment: [^\n]*$/ });
    }
    tf.dispose([two, nan]);
    model.dispose();
    await t.rejects(model.segment(image), { message: /Segmenter\.segment: .*the model has been disposed/ });
    const four = { architecture: { ...SEGMENTER.architecture, classes: 4 }, classNames: null, palette: null };
    const wrong = await Segmenter.load(await stubSegmenter(four));
    await t.rejects(wrong.segment(image), {
      message: /the model's logits have shape \[1, 16, 16, 3\], expected \[1, 1 or more, 1 or more, 4\]$/,
    });
    wrong.dispose();
    const other = await stubSegmenter({ architecture: { ...SEGMENTER.architecture, classes: 0 } });
    await t.rejects(Segmenter.load(other), { message: /architecture\.classes is 0, expected/ });
  });
  t.equal(leaked, 0);
});
