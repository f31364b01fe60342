/**
 * Tests how often edges are drawn, against fixtures/family/op_random_tree_distribution.json. For single trees see the spec.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { gridGraph, randomSpanningTree } from '../index.js';

interface Graph {
  readonly height: number;
  readonly width: number;
  readonly similarity: readonly number[];
  readonly draws: number;
  readonly edge_inclusion: { readonly authors: readonly number[] };
}

interface Shares {
  readonly inclusion_vertical: number;
  readonly inclusion_horizontal: number;
}

const path = new URL('../../fixtures/family/op_random_tree_distribution.json', import.meta.url);
const { grid16_equal: large, ...graphs }: Record<string, Graph> & { readonly grid16_equal: Graph & Shares } =
  JSON.parse(readFileSync(path, 'utf8'));

/** Returns how often each edge of a grid is in the trees of a batch of draws. */
function inclusion(
  height: number,
  width: number,
  similarity: readonly number[],
  draws: number,
): Float64Array {
  const numEdges = similarity.length;
  const { edgeIndex } = randomSpanningTree(
    tf.tile(tf.tensor2d([...similarity], [1, numEdges]), [draws, 1]),
    gridGraph(height, width),
    { numVertices: height * width, seed: 2024 },
  );
  const shares = new Float64Array(numEdges);
  for (const e of edgeIndex.dataSync()) shares[e] += 1 / draws;
  return shares;
}

for (const backend of BACKENDS) {
  t.test(`frequencies of edges on ${backend}`, (t) =>
    onBackend(backend, () =>
      tf.tidy(() => {
        const draws = 5000;
        for (const [name, graph] of Object.entries(graphs)) {
          const found = inclusion(graph.height, graph.width, graph.similarity, draws);
          graph.edge_inclusion.authors.forEach((p, e) => {
            // Five standard deviations of both samples.
            const most = 5 * Math.sqrt(p * (1 - p) * (1 / draws + 1 / graph.draws));
            t.ok(Math.abs(found[e] - p) < most, `${name}, edge ${e}: ${found[e]}, expected ${p}`);
          });
        }
        const found = inclusion(16, 16, new Array(480).fill(1), 200);
        const mean = (edges: Float64Array) => edges.reduce((sum, share) => sum + share, 0) / edges.length;
        const { inclusion_vertical, inclusion_horizontal } = large;
        t.ok(Math.abs(mean(found.subarray(0, 240)) - inclusion_vertical) < 0.01, 'vertical edges of 16 x 16');
        t.ok(Math.abs(mean(found.subarray(240)) - inclusion_horizontal) < 0.01, 'horizontal edges');
      }),
    ),
  );
}
