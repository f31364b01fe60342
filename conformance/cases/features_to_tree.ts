/** Features to tree: edge weights on the backend under test, and the tree of those weights. */

import { tidy } from '@tensorflow/tfjs-core';
import { boruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { edgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { edgeWeights } from '../../plugin/ops/edge_dissimilarity.spec.js';
import { kruskal } from '../../plugin/ops/spec/kruskal.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { type CaseTensor, type ProgramCase, programCase } from '../case.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { combine, judgeTree } from '../verdict.js';
import { LayoutError } from './case_file.js';
import { pairsOf, sameEdges } from './tree_cases.js';

/**
 * A case in which the tree may differ from the reference by near ties, which is then a tie-flip.
 * @param features [B, V, D] float32
 * @param edges [E, 2]
 * @param treeEdges [B, V-1, 2] vertex ids of the reference
 */
export function featuresToTreeCase(
  name: string,
  features: CaseTensor,
  edges: CaseTensor,
  treeEdges: CaseTensor,
): ProgramCase {
  const [batch, numVertices, channels] = features.shape;
  if (treeEdges.shape[0] !== batch) {
    throw new LayoutError(`${name}: trees of ${treeEdges.shape[0]} items, expected ${batch} as its features`);
  }
  return programCase(name, 'Features to tree', async () => {
    const edgeIndex = tidy(() => {
      const edgesTensor = toTensor(edges);
      const weights = edgeDissimilarity(toTensor(features), edgesTensor);
      return boruvkaMST(weights, edgesTensor, { numVertices }).edgeIndex;
    });
    const chosen = (await readTensor(edgeIndex)).values;
    edgeIndex.dispose();
    const items = itemsOf(features).map((row, b) => {
      const weights = edgeWeights(row, edges.values, channels, 'cosine');
      const expected = indicesOf(itemsOf(treeEdges)[b], edges.values);
      const own = Array.from(chosen.subarray(b * (numVertices - 1), (b + 1) * (numVertices - 1)));
      return judgeTree(own, expected, weights, edges.values, numVertices, `tree ${b} of the batch`);
    });
    return combine(items);
  });
}

/** The edges of a tree that a model built of its own weights; undefined if it is not their minimum. */
export function minimalTree(
  order: ArrayLike<number>,
  parent: ArrayLike<number>,
  weights: ArrayLike<number>,
  edges: ArrayLike<number>,
): number[] | undefined {
  const own = indicesOf(pairsOf({ order: order as Int32Array, parent: parent as Int32Array }), edges);
  return own.join() === kruskal(weights, edges, order.length).join() ? own : undefined;
}

/** The rows of `edges` for a list of vertex pairs. @throws {Error} for a pair that is not an edge */
export function indicesOf(pairs: ArrayLike<number>, edges: ArrayLike<number>): number[] {
  const index = new Map<string, number>();
  const key = (u: number, v: number) => `${Math.min(u, v)}-${Math.max(u, v)}`;
  for (let e = edges.length / 2 - 1; e >= 0; e--) index.set(key(edges[2 * e], edges[2 * e + 1]), e);
  const found: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const e = index.get(key(pairs[i], pairs[i + 1]));
    if (e === undefined)
      throw new Error(`the reference tree has an edge ${pairs[i]}-${pairs[i + 1]} that the graph lacks`);
    found.push(e);
  }
  if (
    !sameEdges(
      pairs,
      found.flatMap((e) => [edges[2 * e], edges[2 * e + 1]]),
    )
  ) {
    throw new Error('the reference tree names an edge twice');
  }
  return found.sort((a, b) => a - b);
}
