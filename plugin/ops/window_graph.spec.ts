import { after, computing } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';
import { int32 } from './spec/tensor.js';
import { WindowGraph } from './window_graph.js';

export const windowGraphSpec = defineSpec(WindowGraph, {
  formula: ({ shapes: { tokens }, attributes: { promptLength, reach } }) =>
    byVertexAndToken(windowPairs(tokens[1], promptLength, reach), tokens[1]),
  differentiable: [],
  tolerance: { float32: 0, shader: 0, reason: 'integers: exact' },
  samples: () =>
    [
      { length: 1, promptLength: 0 },
      { length: 1, promptLength: 1 },
      { length: 2, promptLength: 2 },
      { length: 4, promptLength: 3 },
      { length: 9, promptLength: 2 },
      { length: 9, promptLength: 5 },
      { length: 16, promptLength: 16 },
      { length: 9, promptLength: 6, reach: 1 },
      { length: 9, promptLength: 6, reach: 5 },
    ].map(({ length, promptLength, reach }) => ({
      what: `L = ${length}, P = ${promptLength}${reach ? `, reach ${reach}` : ''}`,
      inputs: {
        tokens: int32([1, length], new Int32Array(length)),
        prompt: int32([], [promptLength]),
      },
      attributes: { promptLength, ...(reach && { reach }) },
    })),
  faults: {
    'the prompt is at the other end of the text': computing(({ shapes, attributes, outputs }) => {
      const length = shapes.tokens[1];
      const { promptLength, reach } = attributes as Record<string, number>;
      const pairs = pairsWithin(length, (i) => (i < promptLength ? reach : 1));
      return byVertexAndToken(pairs.slice(0, outputs.edges.length), length);
    }),
    'the reach is always the default': computing(({ shapes, attributes, outputs }) => {
      const pairs = windowPairs(shapes.tokens[1], attributes.promptLength as number);
      return byVertexAndToken(pairs.slice(0, outputs.edges.length), shapes.tokens[1]);
    }),
    'edges are ordered by their larger vertex': computing(({ shapes, attributes }) => {
      const { promptLength, reach } = attributes as Record<string, number>;
      const pairs = windowPairs(shapes.tokens[1], promptLength, reach);
      const edges = Array.from({ length: pairs.length / 2 }, (_, e) => [pairs[2 * e], pairs[2 * e + 1]]);
      const sorted = edges.sort((a, b) => a[1] - b[1] || a[0] - b[0]).flat();
      return byVertexAndToken(sorted, shapes.tokens[1]);
    }),
    'edges by token are those by vertex': after(({ outputs: { edges, tokenEdges } }) => {
      tokenEdges.set(edges);
    }),
  },
  perf: {
    sample: ({ side }) => {
      const length = side * side;
      return {
        inputs: { tokens: int32([1, length], new Int32Array(length)), prompt: int32([], [length]) },
        attributes: { promptLength: length },
      };
    },
  },
});

/**
 * Pairs of vertices (tokens in reversed time) that may be joined: neighbours in the text, and those of the first
 * `promptLength` tokens up to `reach` apart. Ordered by the smaller vertex, then by the larger one.
 */
export function windowPairs(length: number, promptLength: number, reach = 3): number[] {
  return pairsWithin(length, (i) => (i < length - promptLength ? 1 : reach));
}

/** Joins every vertex to the following ones within its reach. */
function pairsWithin(length: number, reachOf: (vertex: number) => number): number[] {
  const pairs: number[] = [];
  for (let i = 0; i + 1 < length; i++) {
    for (let j = i + 1; j <= Math.min(i + reachOf(i), length - 1); j++) pairs.push(i, j);
  }
  return pairs;
}

function byVertexAndToken(edges: readonly number[], length: number) {
  return { edges, tokenEdges: edges.map((vertex) => length - 1 - vertex) };
}
