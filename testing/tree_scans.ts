/** Scans and gradients along trees against the float64 oracle, on the current backend. */
import * as tf from '@tensorflow/tfjs';
import { boruvkaMST, gridGraph, type ScanTree, treeScan } from '../plugin/index.js';
import * as oracle from '../plugin/ops/spec/tree_scan.js';
import type { Aggregate } from '../plugin/ops/tree_scan.js';
import { relativeDifference } from './measure.js';

/** float32 values from -1 to 1, the same for the same seed on every backend. */
export function random(shape: number[], seed: number): tf.Tensor {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return tf.tensor(values, shape);
}

/** Decays from 0 to 1. */
export function randomDecay(shape: number[], seed: number): tf.Tensor {
  return tf.tidy(() => tf.sigmoid(tf.mul(random(shape, seed), 4)));
}

function treeOf(order: number[][], parent: number[][]): ScanTree {
  return { order: tf.tensor2d(order, undefined, 'int32'), parent: tf.tensor2d(parent, undefined, 'int32') };
}

/** Every vertex is a child of the previous one. */
export function pathTree(numVertices: number): ScanTree {
  const positions = Array.from({ length: numVertices }, (_, i) => i);
  return treeOf([positions.map((i) => numVertices - 1 - i)], [positions.map((i) => Math.max(0, i - 1))]);
}

/** All vertices are children of the root. */
export function starTree(numVertices: number): ScanTree {
  const positions = Array.from({ length: numVertices }, (_, i) => i);
  return treeOf([positions], [positions.map(() => 0)]);
}

export function gridTree(batch: number, height: number, width: number): ScanTree {
  const edges = gridGraph(height, width);
  const weights = random([batch, edges.shape[0]], height) as tf.Tensor2D;
  return boruvkaMST(weights, edges, { numVertices: height * width });
}

/**
 * The differences of y, dx and ddecay of every item of a batch from the oracle's, relative to the largest value.
 * @param groups of channels that share a decay
 */
export async function differencesFromOracle(
  makeTree: () => ScanTree,
  channels: number,
  aggregate: Aggregate,
  groups = channels,
): Promise<number[]> {
  const { given, found } = tf.tidy(() => {
    const { order, parent } = makeTree();
    const shape = [...order.shape, channels];
    const decay = randomDecay([...order.shape, groups], 2);
    const [x, dy] = [random(shape, 1), random(shape, 3)];
    const scan = (x: tf.Tensor, decay: tf.Tensor) => treeScan(x, decay, { order, parent }, { aggregate });
    const { value, grads } = tf.valueAndGrads(scan)([x, decay], dy as tf.Tensor3D);
    return { given: [x, decay, dy, order, parent], found: [value, ...grads] };
  });
  const [batch] = given[0].shape;
  const values = await Promise.all([...given, ...found].map((tensor) => tensor.data()));
  tf.dispose([given, found]);
  return Array.from({ length: batch }, (_, b) => {
    const [x, decay, dy, order, parent, ...results] = values.map((all) =>
      Array.from(all).slice((b * all.length) / batch, ((b + 1) * all.length) / batch),
    );
    const tree = { order: Int32Array.from(order), parent: Int32Array.from(parent) };
    const size = channels / groups;
    const each = x.map((_, i) => decay[Math.floor(i / size)]);
    const y = oracle.treeScan(x, each, tree, channels, aggregate);
    const { dx, ddecay } = oracle.treeScanGradient(x, each, dy, tree, channels, aggregate);
    const sums = decay.map((_, i) =>
      ddecay.subarray(i * size, (i + 1) * size).reduce((sum, part) => sum + part, 0),
    );
    return [y, dx, sums].map((expected, i) => relativeDifference(results[i], expected));
  }).flat();
}
