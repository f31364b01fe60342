/** What people write today where a kernel is missing: dataSync, a loop in JavaScript, a new tensor. */
import * as tf from '@tensorflow/tfjs-core';
import { scanDown, scanUp } from '../plugin/cpu/tree_passes.js';
import type { StageTensors } from './stages.js';

/** The whole tree scan of one item. */
export function javascriptScan({ x, decay, tree }: StageTensors): tf.Tensor3D {
  const values = x.dataSync().slice() as Float32Array;
  const decays = decay.dataSync() as Float32Array;
  const rooted = { order: tree.order.dataSync(), parent: tree.parent.dataSync() };
  scanUp(values, decays, rooted, x.shape[2]);
  scanDown(values, decays, rooted, x.shape[2]);
  return tf.tensor3d(values, x.shape);
}
