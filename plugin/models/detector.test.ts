import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import '../../node/index.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { DETECTOR } from '../../testing/dense_metadata.js';
import { maxDifference } from '../../testing/measure.js';
import { STUB_DETECTIONS, stubDetector } from '../../testing/stub_models.js';
import { decodeRle, encodeRle, maskPolygons } from '../image/mask.js';
import { Detector } from './detector.js';

const IMAGE = { width: 120, height: 90, data: new Uint8Array(120 * 90 * 3).fill(90) };

for (const backend of BACKENDS) {
  t.test(`objects in pixels of the image, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const classNames = ['cat', 'dog'];
      const model = await Detector.load(await stubDetector({ classNames }));
      const { width, height, detections, overlay } = await model.detect(IMAGE, {
        masks: 'bitmap',
        overlay: true,
      });
      t.same([width, height, overlay?.width, overlay?.height], [120, 90, 1120, 840]);
      for (const [i, { box, label, index, score, mask }] of detections.entries()) {
        const expected = STUB_DETECTIONS[i];
        // The image takes up 85 x 64 pixels of the network's input, which are rounded sizes.
        const corners = expected.part.map((part, c) => part * [120, 90][c % 2]);
        t.ok(maxDifference(box, corners) < 1e-4, `${box}, expected ${corners}`);
        t.same([label, index], [classNames[expected.index], expected.index]);
        t.ok(Math.abs(score - expected.score) < 1e-6);
        if (!mask) throw new Error('no mask');
        const middle = Math.floor(mask.height / 2) * mask.width;
        const row = mask.data.subarray(middle, middle + mask.width);
        const on = row.reduce((sum, value) => sum + value, 0);
        t.ok(Math.abs(on - (box[2] - box[0]) / 2) <= 1, `${on} pixels: the left half of ${box}`);
        t.ok(mask.left >= 0 && mask.left + mask.width <= 120 && mask.top + mask.height <= 90);
      }
      t.equal(detections.length, 3);
      const rle = await model.detect(IMAGE, { masks: 'rle' });
      const polygon = await model.detect(IMAGE, { masks: 'polygon' });
      for (const [i, { mask }] of detections.entries()) {
        if (!mask) throw new Error('no mask');
        t.same(rle.detections[i].mask, encodeRle(mask, IMAGE));
        t.same(polygon.detections[i].mask, maskPolygons(mask));
        const runs = rle.detections[i].mask;
        t.equal(runs && decodeRle(runs).length, 120 * 90);
      }
      const tensor = tf.fill<tf.Rank.R3>([90, 120, 3], 90);
      t.same(await model.detect(tensor), await model.detect(IMAGE), 'a tensor');
      const raw = await model.detect(tensor, { prepare: false });
      t.same([raw.width, raw.height], [120, 90], 'prepare: false');
      t.same(raw.detections[0].box, [30, 22.5, 90, 67.5]);
      t.notOk('mask' in raw.detections[0], 'no masks unless they are asked for');
      tensor.dispose();
      model.dispose();
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });
}

t.test('thresholds, numbers, names', async (t) => {
  await onBackend('cpu', async () => {
    const model = await Detector.load(await stubDetector());
    const scores = async (options: object) =>
      (await model.detect(IMAGE, options)).detections.map(({ score }) => score.toFixed(1));
    t.same(await scores({}), ['0.9', '0.6', '0.2']);
    t.same(await scores({ scoreThreshold: 0.5 }), ['0.9', '0.6']);
    t.same(await scores({ maxDetections: 1 }), ['0.9']);
    t.same(await scores({ scoreThreshold: 0.99 }), []);
    t.same(model.classNames, ['class 0', 'class 1']);
    const low = { ...DETECTOR.testing, maskThreshold: 0 };
    const all = await Detector.load(await stubDetector({ testing: low }));
    const { detections } = await all.detect(IMAGE, { masks: 'bitmap', maxDetections: 1 });
    t.ok(
      detections[0].mask?.data.every((value) => value === 1),
      'the mask threshold of the metadata',
    );
    const nothing = await Detector.load(await stubDetector({}, []));
    const none = await nothing.detect(IMAGE, { masks: 'rle', overlay: true });
    t.same(none.detections, [], 'an image without objects');
    t.equal(none.overlay?.width, 1120);
    nothing.dispose();
    model.dispose();
    all.dispose();
  });
});

t.test('errors are one clear line', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const model = await Detector.load(await stubDetector());
    for (const [input, options, message] of [
      [IMAGE, { masks: 'png' }, /masks is "png", expected "none" or "bitmap" or "rle" or "polygon"$/],
      [IMAGE, { scoreThreshold: 2 }, /scoreThreshold is 2, expected a number from 0 to 1$/],
      [IMAGE, { maxDetections: 0 }, /maxDetections is 0, expected an integer of at least 1$/],
      [[IMAGE], {}, /expected one image, got a list of 1$/],
      ['nowhere.png', {}, /cannot read image "nowhere.png": no such file$/],
    ] as const) {
      const failed = model.detect(input as typeof IMAGE, options as object);
      await t.rejects(failed, { message });
      await t.rejects(failed, { message: /^Detector\.detect: [^\n]*$/ });
    }
    const signal = AbortSignal.abort(new Error('enough'));
    await t.rejects(model.detect(IMAGE, { signal }), { message: 'enough' });
    const one = { architecture: { ...DETECTOR.architecture, classes: 1 } };
    const other = await Detector.load(await stubDetector(one));
    await t.rejects(other.detect(IMAGE), { message: /the model answers class 1, expected 0 to 0$/ });
    other.dispose();
    model.dispose();
    await t.rejects(model.detect(IMAGE), { message: /Detector\.detect: .*the model has been disposed/ });
  });
  t.equal(leaked, 0);
});
