/**
 * A shared test: a detector without any proposals or detections, on the current backend. `roiLevels` gives one row if there are
 * no regions, so that convolutions, linear layers and softmax after it never get an empty batch, which some of tfjs's kernels do
 * not support.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  boxRois,
  classDetections,
  type Detections,
  linear,
  nonMaxSuppression,
  pasteMasks,
  roiAlign,
  roiLevels,
  selectChannels,
} from '../plugin/index.js';

/** Test functions available in Node and in pages. */
interface Test {
  equal(given: unknown, expected: unknown, what: string): unknown;
}

const CLASSES = 2;

export async function checkEmptyBatches(t: Test): Promise<void> {
  const random = (shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', 1);
  const maps = [8, 4].map((side) => random([1, side, side, 3]));
  const scale = tf.tensor1d([2, 2, 2, 2]);
  /** Features of boxes from both levels. */
  const featuresOf = (rois: tf.Tensor, side: number) => {
    const byLevel = tf.unstack(roiLevels(rois, { levels: 2 }));
    const parts = maps.map((map, level) =>
      roiAlign(map, byLevel[level], { outHeight: side, outWidth: side, spatialScale: 0.5 / 2 ** level }),
    );
    return tf.addN(parts) as tf.Tensor4D;
  };
  const detect = (proposals: tf.Tensor, scoreThreshold: number): Detections => {
    const flat = tf.reshape(featuresOf(boxRois(proposals), 2), [-1, 12]);
    return classDetections(
      {
        proposals,
        scores: tf.softmax(linear(flat, random([12, CLASSES + 1]))),
        deltas: linear(flat, random([12, 4 * CLASSES])),
        imageShape: tf.tensor1d([16, 16], 'int32'),
        scaleFactor: scale,
      },
      { scoreThreshold },
    );
  };
  const masksOf = ({ boxes, classes }: Detections) => {
    const features = featuresOf(boxRois(boxes, scale), 4);
    const hidden = tf.relu(tf.conv2d(features, random([3, 3, 3, 4]) as tf.Tensor4D, 1, 'same'));
    const size: [number, number, number, number] = [hidden.shape[0], 8, 8, 4];
    const larger = tf.conv2dTranspose(hidden, random([2, 2, 4, 4]) as tf.Tensor4D, size, 2, 'same');
    return tf.sigmoid(
      selectChannels(tf.conv2d(larger, random([1, 1, 4, CLASSES]) as tf.Tensor4D, 1, 'same'), classes),
    );
  };
  const before = tf.memory().numTensors;
  for (const [what, count, threshold, found] of [
    ['no proposals', 0, 0, 0],
    ['no detections', 2, 1, 0],
    ['some', 2, 0, 4],
  ] as const) {
    const tensors = tf.tidy(() => {
      const boxes = [1, 1, 9, 8, 0.9, 0, 0, 16, 16, 0.8].slice(0, 5 * count);
      const detections = detect(tf.tensor2d(boxes, [count, 5]), threshold);
      const masks = masksOf(detections);
      return { ...detections, masks, pasted: pasteMasks(masks, detections.boxes, { height: 8, width: 8 }) };
    });
    const shapes: Record<keyof typeof tensors, number[]> = {
      boxes: [found, 4],
      scores: [found],
      classes: [found],
      masks: [found, 8, 8],
      pasted: [found, 8, 8],
    };
    for (const [name, tensor] of Object.entries(tensors)) {
      t.equal(String(tensor.shape), String(shapes[name as keyof typeof shapes]), `${what}: ${name}`);
      const values = await tensor.data();
      t.equal(values.length, tensor.size, `${what}: values of ${name}`);
      t.equal(values.every(Number.isFinite), true, `${what}: ${name} are finite`);
    }
    tf.dispose(tensors);
  }
  const keep = tf.tidy(() => nonMaxSuppression(tf.zeros([0, 4]), tf.zeros([0])));
  t.equal(String(keep.shape), '0', 'no boxes');
  keep.dispose();
  t.equal(tf.memory().numTensors, before, 'tensors');
  tf.dispose([maps, scale]);
}
