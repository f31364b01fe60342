import { FlattenGrid, GridGraph, UnflattenGrid } from './grid.js';
import { computing } from './spec/faults.js';
import { gridEdges } from './spec/graphs.js';
import { defineSpec } from './spec/spec.js';

const COPIES = { float32: 0, shader: 0, reason: 'copies' };

export const gridGraphSpec = defineSpec(GridGraph, {
  formula: ({ shapes: { x } }) => ({ edges: gridEdges(x[1], x[2]) }),
  differentiable: [],
  samples: (random) =>
    [
      [1, 1],
      [1, 6],
      [6, 1],
      [4, 5],
    ].map(([height, width]) => ({
      what: `${height} x ${width}`,
      inputs: { x: random.tensor([1, height, width, 2]) },
    })),
  faults: {
    'edges go in the order of their vertices': computing(({ shapes: { x } }) => {
      const pairs = gridEdges(x[1], x[2]);
      const edges = Array.from({ length: pairs.length / 2 }, (_, e) => [pairs[2 * e], pairs[2 * e + 1]]);
      return { edges: edges.sort((a, b) => a[0] - b[0] || a[1] - b[1]).flat() };
    }),
  },
});

/** Swaps height and width of an image. */
const transposed = computing(({ inputs: { x }, shapes }) => {
  const [height, width, channels] = (shapes.like ?? shapes.x).slice(-3);
  const c = shapes.like ? shapes.x[2] : channels;
  return {
    y: x.map((_, i) => {
      const [item, at, d] = [
        Math.floor(i / (height * width * c)),
        Math.floor(i / c) % (height * width),
        i % c,
      ];
      const [row, column] = [at % height, Math.floor(at / height)];
      return x[(item * height * width + row * width + column) * c + d];
    }),
  };
});

export const flattenGridSpec = defineSpec(FlattenGrid, {
  formula: ({ inputs: { x } }) => ({ y: x }),
  tolerance: COPIES,
  samples: (random) => [{ what: '3 x 4', inputs: { x: random.tensor([2, 3, 4, 5]) } }],
  faults: { 'columns come before rows': transposed },
});

export const unflattenGridSpec = defineSpec(UnflattenGrid, {
  formula: ({ inputs: { x } }) => ({ y: x }),
  tolerance: COPIES,
  samples: (random) => [
    {
      what: '3 x 4',
      inputs: { x: random.tensor([2, 12, 6]), like: random.tensor([2, 3, 4, 5]) },
      withoutGradient: true,
    },
  ],
  faults: { 'columns come before rows': transposed },
});
