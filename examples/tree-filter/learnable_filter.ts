/**
 * A learnable tree filter that learns to clean a noisy map: every pixel of an image is classified as disc or ground, by
 * features that are its class in heavy noise. The tree of the image joins the pixels of the disc, so the filter takes
 * their mean. It learns its embeddings, its confidences, beta and gamma, and a linear head.
 */
import * as tf from '@tensorflow/tfjs';
import { learnableTreeFilter, linear, randomTreeOfGuide, type Tree } from '../../plugin/index.js';
import { crossEntropy, RandomNumbers } from '../../plugin/training/index.js';

const SIDE = 12;
/** Of the features, of the image and of the embeddings; groups of channels that have affinities of their own. */
const [CHANNELS, COLOURS, EMBEDDED, GROUPS] = [8, 3, 4, 2];
const CLASSES = 2;

/** What is learnt from: tensors of one image. */
export interface Scene {
  /** [1, H, W, 8] float32: the class in noise. */
  readonly feature: tf.Tensor4D;
  /** [1, H, W, 3] float32: the image. */
  readonly guide: tf.Tensor4D;
  /** [1, H, W] int32: the class of every pixel. */
  readonly labels: tf.Tensor3D;
}

/** A bright disc on a dark ground. */
export function sceneOf(seed: number): Scene {
  const random = RandomNumbers.stream(seed, 'disc');
  const labels = Array.from({ length: SIDE * SIDE }, (_, v) =>
    Math.hypot((v % SIDE) - SIDE / 2, Math.floor(v / SIDE) - SIDE / 2) < SIDE / 3 ? 1 : 0,
  );
  const map = (channels: number, value: (label: number, channel: number) => number) =>
    tf.tensor4d(
      labels.flatMap((label) => Array.from({ length: channels }, (_, c) => value(label, c))),
      [1, SIDE, SIDE, channels],
    );
  return {
    feature: map(CHANNELS, (label, c) => (label === c % CLASSES ? 0.5 : -0.5) + 2 * random.normal()),
    guide: map(COLOURS, (label) => label + 0.1 * random.normal()),
    labels: tf.tensor3d(labels, [1, SIDE, SIDE], 'int32'),
  };
}

/** What is learnt, where it begins: small embeddings, the same confidence everywhere, a filter that adds little. */
export function initialWeights(seed: number) {
  const random = RandomNumbers.stream(seed, 'filter');
  const matrix = (inputs: number, outputs: number, deviation: number) => {
    const values = Array.from({ length: inputs * outputs }, () => deviation * random.normal());
    return tf.variable(tf.tensor2d(values, [inputs, outputs]));
  };
  return tf.tidy(() => ({
    embed: matrix(CHANNELS, EMBEDDED, 0.05),
    guide: matrix(COLOURS, EMBEDDED, 0.5),
    confidence: matrix(CHANNELS, GROUPS, 0),
    beta: tf.variable(tf.fill([GROUPS], 0.5)),
    gamma: tf.variable(tf.tensor1d([0.1])),
    head: matrix(CHANNELS, CLASSES, 0.3),
  }));
}

/**
 * Trains on the current backend. The tree of a step is a random one, as the authors train; evaluation takes the minimum
 * spanning tree.
 * @returns the loss before each step, and in the end, of the minimum spanning tree.
 */
export async function train(scene: Scene, steps: number, seed = 1): Promise<number[]> {
  const { feature, guide, labels } = scene;
  const { head, ...weights } = initialWeights(seed);
  const learnt = [head, ...Object.values(weights)];
  const optimizer = tf.train.adam(0.03);
  const losses: number[] = [];
  const lossOf = (tree?: Tree) => {
    const filtered = learnableTreeFilter(feature, guide, weights, { tree });
    return crossEntropy(linear(filtered, head), labels);
  };
  const evaluate = async () => {
    const loss = tf.tidy(() => lossOf()); // along the minimum spanning tree of the guide
    losses.push((await loss.data())[0]);
    loss.dispose();
  };
  for (let step = 0; step < steps; step++) {
    await evaluate();
    const tree = await randomTreeOfGuide(feature, guide, weights, step); // the step is the seed
    optimizer.minimize(() => lossOf(tree), false, learnt);
    tree.dispose();
  }
  await evaluate();
  optimizer.dispose();
  tf.dispose(learnt);
  return losses;
}
