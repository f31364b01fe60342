/** Receptive fields of a network with random weights on one backend, for comparison with another. */
import * as tf from '@tensorflow/tfjs-core';
import { GrootV } from '../plugin/index.js';
import { randomClassifier } from './checkpoints.js';

/** For the first and the last level, two images each, on the current backend. */
export async function randomReceptiveFields(): Promise<Float32Array[]> {
  const sizes = { channels: 8, depths: [1, 1], layerScale: true, classes: 5 };
  const model = await GrootV.load(await randomClassifier(sizes));
  const images = tf.randomUniform([2, 24, 24, 3], 0, 255, 'float32', 7) as tf.Tensor4D;
  const fields: Float32Array[] = [];
  for (const level of [0, 1]) fields.push((await model.receptiveField(images, { size: 24, level })).values);
  images.dispose();
  model.dispose();
  return fields;
}
