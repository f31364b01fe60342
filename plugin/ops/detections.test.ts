/** Tests detectors that find nothing, and rejected arguments. For values see the specs. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { checkEmptyBatches } from '../../testing/empty_batches.js';
import {
  anchorGrid,
  classDetections,
  decodeBoxes,
  interpolateBilinear,
  nonMaxSuppression,
  OpError,
  pasteMask,
  pasteMasks,
  regionProposals,
  roiAlign,
  selectChannels,
} from '../index.js';
import { runOp } from './kernels.js';
import { Resample } from './resample.js';

for (const backend of BACKENDS) {
  t.test(`a detector without proposals or detections, ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, () => checkEmptyBatches(t));
    t.equal(leaked, 0);
  });
}

t.test('regions and boxes that are not finite, or beyond all images', async (t) => {
  const far = [1e30, -1e30, 3e38, -3e38, Infinity, -Infinity, Number.NaN];
  const boxes = far.flatMap((a) => far.map((b) => [a, a, b, b]));
  for (const backend of BACKENDS) {
    await onBackend(backend, () =>
      tf.tidy(() => {
        const rois = tf.tensor2d(boxes.map((box) => [0, ...box]));
        for (const aligned of [true, false]) {
          for (const samplingRatio of [0, 2]) {
            const size = { outHeight: 2, outWidth: 3, aligned, samplingRatio };
            const values = roiAlign(tf.ones([1, 5, 4, 1]), rois, size).dataSync();
            t.ok(
              values.every((value) => value >= 0 && value <= 1),
              `${backend}, ${Object.values(size)}`,
            );
          }
        }
        const pasted = pasteMasks(tf.ones([boxes.length, 2, 2]), tf.tensor2d(boxes), { height: 3, width: 3 });
        t.ok(
          pasted.dataSync().every((value) => !(value < 0 || value > 1)),
          `${backend}, pasted`,
        );
      }),
    );
  }
  for (const box of boxes) {
    const { left, top, width, height, values } = pasteMask(new Float32Array(4), [2, 2], box, {
      height: 3,
      width: 3,
    });
    t.ok(left >= 0 && top >= 0 && left + width <= 3 && top + height <= 3, `${box}`);
    t.equal(values.length, width * height);
  }
});

t.test('errors say what was given and what is expected', async (t) => {
  await onBackend('cpu', () =>
    tf.tidy(() => {
      const features = tf.zeros([1, 4, 4, 2]);
      const boxes = tf.zeros([3, 4]);
      const shape = tf.tensor1d([8, 8], 'int32');
      const roi = tf.tensor2d([[1, 0, 0, 2, 2]]);
      const size = { outHeight: 2, outWidth: 2 };
      const proposals = {
        anchors: boxes,
        objectness: tf.zeros([3]),
        deltas: boxes,
        levelSizes: tf.tensor1d([1, 1], 'int32'),
        imageShape: shape,
      };
      const detections = {
        proposals: tf.zeros([3, 5]),
        scores: tf.zeros([3, 4]),
        deltas: tf.zeros([3, 12]),
        imageShape: shape,
        scaleFactor: tf.ones([4]),
      };
      const table = (first: number, samples: number, start = 1, term = 0) => ({
        x: features,
        starts: tf.tensor1d([0, start], 'int32'),
        terms: tf.tensor2d([[term, 0]], [1, 2], 'int32'),
        ranges: tf.tensor3d([first, samples, 0, 1], [1, 2, 2], 'int32'),
        weights: tf.ones([1, 2, 2]),
      });
      const fails: [run: () => unknown, message: RegExp][] = [
        [() => roiAlign(features, roi, size), /^RoiAlign: rois\[0, 0\] is image 1, expected at most 0/],
        [
          () => roiAlign(features, roi, { ...size, samplingRatio: 65 }),
          /samplingRatio is 65, expected an integer from 0 to 64/,
        ],
        [() => roiAlign(tf.zeros([1, 0, 4, 2]), roi, size), /H is 0, expected at least 1/],
        [
          () => interpolateBilinear(features, {} as never),
          /neither height nor like is given, expected one of them/,
        ],
        [() => anchorGrid(features, { stride: 0 }), /stride is 0, expected an integer of at least 1/],
        [() => decodeBoxes(boxes, tf.zeros([3, 6])), /deltas has 6 columns, expected a multiple of 4/],
        [() => decodeBoxes(boxes, boxes, shape, { stds: [1] }), /stds has 1 numbers, expected 4/],
        [() => nonMaxSuppression(boxes, tf.zeros([2])), /scores has shape \[2\], expected \[K\] = \[3\]/],
        [
          () => nonMaxSuppression(boxes, tf.zeros([3]), undefined, { iouThreshold: -1 }),
          /iouThreshold is -1/,
        ],
        [() => regionProposals(proposals), /levelSizes is 1, 1, expected sizes that sum to the 3 anchors/],
        [
          () => classDetections({ ...detections, deltas: tf.zeros([3, 8]) }),
          /deltas has 8 columns, expected 4 or 12 columns/,
        ],
        [
          () => classDetections({ ...detections, proposals: tf.zeros([5, 5]) }),
          /scores has 3 rows for 5 proposals/,
        ],
        [() => selectChannels(features, tf.tensor1d([0, 1], 'int32')), /expected at least 0/],
        [
          () => runOp(Resample, table(3, 2), { rows: 1 }),
          /^Resample: 2 samples from 3 on, expected at most 2, from 0 to 3/,
        ],
        [() => runOp(Resample, table(0, 3), { rows: 1 }), /3 samples from 0 on, expected at most 2/],
        [() => runOp(Resample, table(0, 1, 2), { rows: 1 }), /starts\[1\] is 2, expected 0 to 1/],
        [() => runOp(Resample, table(0, 1, 1, -1), { rows: 1 }), /terms\[0, 0\] is -1, expected 0 to 0/],
      ];
      for (const [run, message] of fails) t.throws(run, { name: OpError.name, message });
    }),
  );
});
