/** GrootV-T at full size with random weights, for tests of whole models on several backends. */
import * as tf from '@tensorflow/tfjs-core';
import { randomGrootVArtifacts } from '../bench/random_model.js';
import { LoadedModel } from '../plugin/models/loaded_model.js';
import '../plugin/index.js';

/**
 * Smaller than its default of 224: every layer has its full size, every tree several vertices, and software renderers take
 * minutes for 24 times the pixels.
 */
const [HEIGHT, WIDTH] = [64, 32];
const BLOCKS = 15;

/** The bound of logits with the model's own trees: see docs/numerics.md. */
export const OWN_TREES = 0.2;

/** Nodes through which the tree of every block is read, and fed. */
export const TREE_NODES = Array.from({ length: BLOCKS }, (_, i) => [
  `blocks_${i}/order`,
  `blocks_${i}/parent`,
]).flat();

/** The logits of a prediction, and its trees. */
export interface Prediction {
  readonly logits: Float32Array;
  readonly trees: readonly { readonly values: Int32Array; readonly shape: number[] }[];
}

let artifacts: Promise<tf.io.ModelArtifacts> | undefined;

/** The network on the current backend; its weights are generated once. */
export async function loadGrootVT(): Promise<LoadedModel> {
  artifacts ??= randomGrootVArtifacts();
  return LoadedModel.from('random', await artifacts);
}

/** An image on the current backend. */
export function testImage(): tf.Tensor4D {
  const pixels = Float32Array.from({ length: HEIGHT * WIDTH * 3 }, (_, i) => (i * 7919) % 256);
  return tf.tensor4d(pixels, [1, HEIGHT, WIDTH, 3]);
}

/** Predicts on a backend, for comparison with others. */
export async function predictOn(backend: string): Promise<Prediction> {
  await tf.setBackend(backend);
  const model = await loadGrootVT();
  const image = testImage();
  const [logits, ...trees] = model.execute({ image }, ['logits', ...TREE_NODES]) as tf.Tensor[];
  const found = {
    logits: logits.dataSync() as Float32Array,
    trees: trees.map((tree) => ({ values: tree.dataSync() as Int32Array, shape: tree.shape })),
  };
  tf.dispose([image, logits, trees]);
  model.dispose();
  return found;
}

/** The trees of a prediction as feeds on the current backend. */
export function pinned({ trees }: Prediction): Record<string, tf.Tensor> {
  return Object.fromEntries(
    trees.map(({ values, shape }, i) => [TREE_NODES[i], tf.tensor(values, shape, 'int32')]),
  );
}

export function argmax(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
}
