/** The shapes of GrootV-T at 224 x 224, and tensors of them. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, edgeDissimilarity, gridGraph, type Tree } from '../plugin/index.js';

/** One of the four levels of the network. */
export interface Stage {
  readonly name: string;
  /** Height and width of the grid. */
  readonly side: number;
  /** D, channels of the scan. */
  readonly channels: number;
}

export const STAGES: readonly Stage[] = [
  { name: '56x56x160', side: 56, channels: 160 },
  { name: '28x28x320', side: 28, channels: 320 },
  { name: '14x14x640', side: 14, channels: 640 },
  { name: '7x7x1280', side: 7, channels: 1280 },
];

const SAMPLES = 16;

/** What a tree scan of a stage works on; batch 1. */
export interface StageTensors {
  readonly x: tf.Tensor3D;
  readonly decay: tf.Tensor3D;
  readonly edges: tf.Tensor2D;
  /** [1, E] edge weights of several inputs: with one alone, processors learn its branches by heart. */
  readonly samples: readonly tf.Tensor2D[];
  /** That of the first sample, whose features are x. */
  readonly tree: Tree;
  dispose(): void;
}

/** Random features and decays on the current backend, and the tree of those features. */
export function stageTensors({ side, channels }: Stage): StageTensors {
  const vertices = side * side;
  const shape: [number, number, number] = [1, vertices, channels];
  const x = tf.randomNormal<tf.Rank.R3>(shape, 0, 1, 'float32', 1);
  const decay = tf.randomUniform<tf.Rank.R3>(shape, 0, 1, 'float32', 2);
  const edges = gridGraph(side, side);
  const samples = [edgeDissimilarity(x, edges)];
  while (samples.length < SAMPLES) {
    const seed = 2 + samples.length;
    samples.push(tf.tidy(() => edgeDissimilarity(tf.randomNormal(shape, 0, 1, 'float32', seed), edges)));
  }
  const tree = boruvkaMST(samples[0], edges, { numVertices: vertices });
  const dispose = () => {
    tf.dispose([x, decay, edges, ...samples]);
    tree.dispose();
  };
  return { x, decay, edges, samples, tree, dispose };
}
