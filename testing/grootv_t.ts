/** GrootV-T at full size, with random weights: what tests of whole models on further backends share. */
import * as tf from '@tensorflow/tfjs-core';
import { randomGrootV } from '../bench/random_model.js';
import '../plugin/index.js';

/** Smaller than its 224: every layer is of full size, and software renderers take minutes for twelve times the pixels. */
const SIDE = 64;
const BLOCKS = 15;

/** The bound of logits with trees of its own: docs/numerics.md. */
export const OWN_TREES = 0.2;

/** Nodes by which the tree of every block is read, and fed. */
export const TREE_NODES = Array.from({ length: BLOCKS }, (_, i) => [
  `blocks_${i}/order`,
  `blocks_${i}/parent`,
]).flat();

/** The logits of one prediction, and the trees that led to them. */
export interface Prediction {
  readonly logits: Float32Array;
  readonly trees: readonly { readonly values: Int32Array; readonly shape: number[] }[];
}

/** A picture [1, side, side, 3] of the current backend. */
export function picture(side = SIDE): tf.Tensor4D {
  const pixels = Float32Array.from({ length: side * side * 3 }, (_, i) => (i * 7919) % 256);
  return tf.tensor4d(pixels, [1, side, side, 3]);
}

/** Predicts on a backend, to compare others with. */
export async function predictOn(backend: string): Promise<Prediction> {
  await tf.setBackend(backend);
  const model = await randomGrootV();
  const image = picture();
  const [logits, ...trees] = model.execute({ image }, ['logits', ...TREE_NODES]) as tf.Tensor[];
  const found = {
    logits: logits.dataSync() as Float32Array,
    trees: trees.map((tree) => ({ values: tree.dataSync() as Int32Array, shape: tree.shape })),
  };
  tf.dispose([image, logits, trees]);
  model.dispose();
  return found;
}

/** The trees of a prediction as feeds of the current backend. */
export function pinned({ trees }: Prediction): Record<string, tf.Tensor> {
  return Object.fromEntries(
    trees.map(({ values, shape }, i) => [TREE_NODES[i], tf.tensor(values, shape, 'int32')]),
  );
}

export function argmax(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
}
