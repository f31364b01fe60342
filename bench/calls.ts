/**
 * What a call through tfjs costs whatever it computes: the ops that are compared with native code, on a graph of two
 * vertices. At small stages it is most of the time.
 */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, gridGraph, treeScan } from '../plugin/index.js';
import { medianTimes } from './timing.js';

/** Microseconds of a call. */
export type CallTimes = Readonly<Record<'treeScan' | 'boruvkaMST', number>>;

export async function benchCalls(): Promise<CallTimes> {
  const edges = gridGraph(1, 2);
  const weights = tf.zeros<tf.Rank.R2>([1, 1]);
  const x = tf.ones<tf.Rank.R3>([1, 2, 1]);
  const tree = boruvkaMST(weights, edges, { numVertices: 2 });
  const ms = await medianTimes({
    treeScan: () => treeScan(x, x, tree).dispose(),
    boruvkaMST: () => boruvkaMST(weights, edges, { numVertices: 2 }).dispose(),
  });
  tf.dispose([edges, weights, x]);
  tree.dispose();
  return { treeScan: 1000 * ms.treeScan, boruvkaMST: 1000 * ms.boruvkaMST };
}
