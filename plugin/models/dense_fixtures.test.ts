/** Tests Segmenter and Detector from checkpoints to pixels of the image, against reference values. */
import type * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { rowsOfDetections, settingsOf } from '../../conformance/cases/detection_cases.js';
import type { ConvertOptions } from '../../converters/index.js';
import { onBackend } from '../../testing/backends.js';
import { type Fixture, fixturePath, readDenseModel } from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted, pinnedTrees } from '../../testing/models.js';
import { Detector } from './detector.js';
import { Segmenter, type SegmentOptions } from './segmenter.js';

async function converted(file: string, options: ConvertOptions = {}) {
  const { model, sink } = await loadConverted(`dense/${file}.pth`, options);
  model.dispose();
  return sink;
}

/** Image i of an input. */
function testImage(fixture: Fixture, input: string, i = 0) {
  const { shape, values } = fixture.tensor(`rgb.${input}`);
  const [, height, width] = shape;
  const size = height * width * 3;
  return { width, height, data: Uint8Array.from(values.subarray(i * size, (i + 1) * size)) };
}

for (const file of ['upernet_tiny', 'upernet_tiny_outnorm']) {
  const skip = fixturePath(`dense/${file}.pth`) ? false : 'it is not there';
  t.test(`segment: ${file}`, { skip }, async (t) => {
    const fixture = readDenseModel(file);
    const inputs = fixture.names().filter((name) => name.startsWith('argmax.'));
    t.ok(inputs.length >= 2, 'whole and slid, or of two sizes');
    await onBackend('wasm', async () => {
      for (const name of inputs) {
        const [input, slide] = name.slice('argmax.'.length).split('.');
        const { img_scale, resize_to_multiple } = JSON.parse(fixture.metadata[`input.${input}`]);
        const dense = { scale: img_scale, multipleOf: resize_to_multiple || null };
        const model = await Segmenter.load(await converted(file, { dense }));
        const windows = slide && JSON.parse(fixture.metadata[`slide.${input}`]);
        const options: SegmentOptions = windows
          ? { mode: 'slide', cropSize: windows.crop_size, stride: windows.stride }
          : {};
        const suffix = slide ? `${input}.slide` : input;
        const [expected, margin] = ['argmax', 'margin'].map((of) => fixture.tensor(`${of}.${suffix}`));
        const pixels = expected.values.length / expected.shape[0];
        for (let i = 0; i < expected.shape[0]; i++) {
          const { classMap } = await model.segment(testImage(fixture, input, i), options);
          t.equal(classMap.length, pixels);
          const wrong = classMap.filter((index, at) => {
            const p = i * pixels + at;
            return index !== expected.values[p] && margin.values[p] > 1e-2;
          });
          t.equal(wrong.length, 0, `${suffix}, image ${i}`);
        }
        model.dispose();
      }
    });
  });
}

/** Feeds trees together with everything that a detector feeds. */
function pinTrees({ model }: Detector, trees: tf.NamedTensorMap): void {
  const execute = model.execute.bind(model);
  model.execute = (inputs, nodes) => execute({ ...(inputs as tf.NamedTensorMap), ...trees }, nodes);
}

const SCORE_BOUND = 1e-4;
const BOX_BOUND = 5e-3;

t.test('detect: mask_rcnn_tiny', async (t) => {
  const fixture = readDenseModel('mask_rcnn_tiny');
  const small = settingsOf(JSON.parse(fixture.metadata['test_cfg.94x126.small']));
  await onBackend('wasm', async () => {
    for (const [name, settings] of [
      ['94x126', {}],
      ['94x126.small', small],
      ['pipe', {}], // with pinned trees, because pixels of padding alone give ties
    ] as const) {
      const [input] = name.split('.');
      if (!fixture.has(`dets.${name}`)) continue; // in the whole fixture only
      const scale = JSON.parse(fixture.metadata[`input.${input}`]).img_scale;
      const model = await Detector.load(await converted('mask_rcnn_tiny', { dense: { scale, ...settings } }));
      const trees = input === 'pipe' ? pinnedTrees(fixture, 'trees.pipe', [1, 1, 2, 1]) : {};
      pinTrees(model, trees);
      const image = testImage(fixture, input);
      const { detections } = await model.detect(image, { masks: 'bitmap' });
      const dets = fixture.tensor(`dets.${name}`);
      t.equal(detections.length, dets.shape[0], `${name}: as many`);
      const labels = fixture.tensor(`labels.${name}`).values;
      const rows = rowsOfDetections(
        { classes: detections.map(({ index }) => index), boxes: detections.flatMap(({ box }) => box) },
        {
          classes: labels,
          boxes: dets.values.filter((_, i) => i % 5 < 4),
          scores: dets.values.filter((_, i) => i % 5 === 4),
        },
        // The order of scores is undefined if their difference is within their tolerance.
        { tie: 2 * SCORE_BOUND, box: BOX_BOUND },
      );
      t.same(
        detections.map(({ index }) => index),
        rows.map((row) => labels[row]),
        `${name}: labels`,
      );
      const of = (columns: readonly number[]) =>
        rows.flatMap((row) => columns.map((c) => dets.values[5 * row + c]));
      const boxes = maxDifference(
        detections.flatMap(({ box }) => box),
        of([0, 1, 2, 3]),
      );
      t.ok(boxes <= BOX_BOUND, `${name}: boxes, ${boxes} pixels`);
      const scores = maxDifference(
        detections.map(({ score }) => score),
        of([4]),
      );
      t.ok(scores <= SCORE_BOUND, `${name}: scores, ${scores}`);
      const packed = fixture.tensor(`masks_packed.${name}`);
      let differing = 0;
      for (const [i, { mask }] of detections.entries()) {
        const bits = packed.values.subarray(rows[i] * packed.shape[1], (rows[i] + 1) * packed.shape[1]);
        for (let p = 0; p < image.width * image.height; p++) {
          const [x, y] = [p % image.width, Math.floor(p / image.width)];
          const expected = (bits[p >> 3] >> (7 - (p & 7))) & 1;
          if (expected !== (mask && valueAt(mask, x, y))) differing++;
        }
      }
      const share = differing / (detections.length * image.width * image.height);
      t.ok(share <= 1e-4, `${name}: ${differing} pixels of masks differ`);
      Object.values(trees).forEach((tensor) => {
        tensor.dispose();
      });
      model.dispose();
    }
  });
});

function valueAt(
  {
    left,
    top,
    width,
    height,
    data,
  }: { left: number; top: number; width: number; height: number; data: Uint8Array },
  x: number,
  y: number,
): number {
  const isInside = x >= left && y >= top && x < left + width && y < top + height;
  return isInside ? data[(y - top) * width + x - left] : 0;
}
