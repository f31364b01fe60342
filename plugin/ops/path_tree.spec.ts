import { PathTree } from './path_tree.js';
import { after, always, computing } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';

export const pathTreeSpec = defineSpec(PathTree, {
  formula: ({ shapes: { x }, attributes: { direction, reverse } }) =>
    paths(x[0], reverse ? pixels(x, direction).reverse() : pixels(x, direction)),
  differentiable: [],
  tolerance: { float32: 0, shader: 0, reason: 'integers: exact' },
  samples: (random) =>
    (
      [
        [1, 1, 1],
        [2, 1, 6],
        [1, 6, 1],
        [0, 2, 2],
        [2, 4, 5],
        [1, 5, 4],
      ] as const
    ).flatMap(([batch, height, width]) =>
      ['row', 'snake', 'column'].flatMap((direction) =>
        [false, true].map((reverse) => ({
          what: `B = ${batch}, ${height} x ${width}, ${direction}${reverse ? ', reverse' : ''}`,
          inputs: { x: random.tensor([batch, height, width, 2]) },
          attributes: { direction, reverse },
        })),
      ),
    ),
  faults: {
    'the direction is always row': always({ direction: 'row' }),
    'the path is never reversed': always({ reverse: false }),
    'a reversed path is the path of the mirrored image': computing(({ shapes: { x }, attributes }) => {
      const [batch, , width] = x;
      const path = pixels(x, attributes.direction as string);
      const mirrored = path.map((v) => v - (v % width) + width - 1 - (v % width));
      return paths(batch, attributes.reverse ? mirrored : path);
    }),
    'even rows go backwards': computing(({ shapes: { x }, attributes }) => {
      const [batch, , width] = x;
      const path = pixels(x, attributes.direction as string);
      if (attributes.direction === 'snake') {
        for (let y = 0; y < path.length; y += width) {
          path.splice(y, width, ...path.slice(y, y + width).reverse());
        }
      }
      return paths(batch, attributes.reverse ? path.reverse() : path);
    }),
    'parents are vertex ids, not positions': after(({ outputs: { order, parent }, shapes: { x } }) => {
      const size = x[1] * x[2];
      const positions = parent.slice();
      for (let i = 0; i < parent.length; i++) parent[i] = order[i - (i % size) + positions[i]];
    }),
  },
  perf: {
    sample: ({ side, channels }, random) => ({ inputs: { x: random.tensor([1, side, side, channels]) } }),
  },
});

/** Returns all pixels in the order of the direction. */
function pixels([, height, width]: readonly number[], direction: string): number[] {
  const rank = (v: number): number => {
    const [x, y] = [v % width, Math.floor(v / width)];
    if (direction === 'column') return x * height + y;
    return y * width + (direction === 'snake' && y % 2 === 1 ? width - 1 - x : x);
  };
  return Array.from({ length: height * width }, (_, v) => v).sort((a, b) => rank(a) - rank(b));
}

function paths(batch: number, path: readonly number[]) {
  const repeated = (row: readonly number[]) => Array.from({ length: batch }, () => row).flat();
  return {
    edgeIndex: repeated(path.slice(1).map((_, i) => i)),
    order: repeated(path),
    parent: repeated(path.map((_, i) => Math.max(0, i - 1))),
  };
}
