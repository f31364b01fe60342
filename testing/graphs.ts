/** Graphs on which backends must build the same trees as `cpu`. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { gridGraph, windowGraph } from '../plugin/index.js';

/** NaN of either sign count as equal. */
const SPECIAL_BITS = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 1, 0x80000001, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
];

/** A connected graph: a random tree plus further edges, including self-loops and parallel ones. */
function randomGraph(numVertices: number, extra: number, pick: (below: number) => number): number[][] {
  const edges = Array.from({ length: numVertices - 1 }, (_, i) => [pick(i + 1), i + 1]);
  for (let i = 0; i < extra; i++) edges.push([pick(numVertices), pick(numVertices)]);
  for (let i = edges.length - 1; i > 0; i--) {
    const j = pick(i + 1);
    [edges[i], edges[j]] = [edges[j], edges[i]];
  }
  return edges;
}

function picker(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export interface Graph {
  readonly weights: Float32Array;
  readonly batch: number;
  readonly edges: Int32Array;
  readonly numVertices: number;
  readonly root: number;
}

export function graphOf({ weights, batch, edges }: Graph): [tf.Tensor2D, tf.Tensor2D] {
  const numEdges = edges.length / 2;
  return [tf.tensor2d(weights, [batch, numEdges]), tf.tensor2d(edges, [numEdges, 2], 'int32')];
}

/** Small graphs of various kinds, with names. */
export function randomGraphs(numRuns: number): [string, Graph][] {
  const cases = fc.record({
    numVertices: fc.integer({ min: 1, max: 40 }),
    extra: fc.integer({ min: 0, max: 40 }),
    batch: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    special: fc.boolean(),
    levels: fc.constantFrom(1, 3, 1000),
  });
  return fc.sample(cases, { numRuns, seed: 1 }).map((drawn) => {
    const { numVertices, extra, batch, seed, special, levels } = drawn;
    const pick = picker(seed);
    const edges = Int32Array.from(randomGraph(numVertices, extra, pick).flat());
    const weights = new Float32Array((batch * edges.length) / 2);
    const bits = new Uint32Array(weights.buffer);
    for (let e = 0; e < weights.length; e++) {
      if (special) bits[e] = SPECIAL_BITS[pick(SPECIAL_BITS.length)];
      else weights[e] = pick(levels) - levels / 2;
    }
    return [JSON.stringify(drawn), { weights, batch, edges, numVertices, root: pick(numVertices) }];
  });
}

const SHAPES: readonly (readonly [string, number, () => number[][]])[] = [
  ['a path', 3136, () => Array.from({ length: 3135 }, (_, i) => [i, i + 1])],
  ['a star', 1500, () => Array.from({ length: 1499 }, (_, i) => [1499, i])],
  ['a caterpillar', 2001, () => Array.from({ length: 2000 }, (_, i) => [i - (i % 2), i + 1])],
  ['a window graph', 300, () => tf.tidy(() => windowGraph(300, { promptLength: 200 }).arraySync())],
  ['a grid of 56 x 56', 3136, () => tf.tidy(() => gridGraph(56, 56).arraySync())],
  ['any graph', 2500, () => randomGraph(2500, 4000, picker(5))],
];

/** Graphs that are deep, wide or large, with weights of three kinds. */
export function* largeGraphs(most = Number.POSITIVE_INFINITY): Generator<[string, Graph]> {
  for (const [what, numVertices, make] of SHAPES) {
    if (numVertices > most) continue;
    const edges = Int32Array.from(make().flat());
    // With ascending weights, Boruvka's components are chains.
    for (const kind of ['random', 'ascending', 'equal']) {
      const pick = picker(3);
      const weights = Float32Array.from({ length: edges.length / 2 }, (_, i) =>
        kind === 'random' ? pick(1 << 20) : kind === 'ascending' ? i : 0,
      );
      yield [`${what}, ${kind}`, { weights, batch: 1, edges, numVertices, root: numVertices >> 1 }];
    }
  }
}
