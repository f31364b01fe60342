import { AtParent, AtParentGradient, ParentVertices } from './parent_vertices.js';
import { after, changed, computing, firstItem, roundedToFloat16 } from './spec/faults.js';
import { reordered, shuffledTree, TREE_SHAPES } from './spec/graphs.js';
import type { Random } from './spec/random.js';
import { batchOfTrees, parentIdsOf, treesOf } from './spec/rooted_tree.js';
import { defineSpec, type FormulaArguments, type NamedValues, type Sample } from './spec/spec.js';

export const parentVerticesSpec = defineSpec(ParentVertices, {
  formula: (args) => ({ parents: parents(args) }),
  differentiable: [],
  samples: (random) =>
    samples(random).map(({ what, inputs: { order, parent } }) => ({ what, inputs: { order, parent } })),
  faults: {
    'parents are positions, not vertices': computing(({ inputs: { order, parent }, shapes }) => {
      const [, numVertices] = shapes.order;
      const positions = new Int32Array(order.length);
      order.forEach((vertex, i) => {
        positions[i - (i % numVertices) + vertex] = i % numVertices === 0 ? -1 : parent[i];
      });
      return { parents: positions };
    }),
    'parents are by position, not by vertex': computing(({ inputs: { order, parent }, shapes }) => {
      const [, numVertices] = shapes.order;
      return {
        parents: parent.map((at, i) => (i % numVertices === 0 ? -1 : order[i - (i % numVertices) + at])),
      };
    }),
    'the parent of the root is the root': changed('parents', (id, i, { inputs: { order }, shapes }) =>
      id < 0 ? order[i - (i % shapes.order[1])] : id,
    ),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
  },
});

export const atParentSpec = defineSpec(AtParent, {
  formula: (args) => {
    const { x } = args.inputs;
    const [, numVertices, channels] = args.shapes.x;
    const y = Float64Array.from(x);
    parents(args).forEach((id, row) => {
      if (id < 0) return;
      const from = (row - (row % numVertices) + id) * channels;
      for (let d = 0; d < channels; d++) y[row * channels + d] = x[from + d];
    });
    return { y };
  },
  tolerance: { float32: 0, shader: 0, gradient: 2e-6, reason: 'copies; gradients are sums over children' },
  batchInvariant: true,
  samples,
  faults: {
    'the root has the value 0': after(({ inputs: { order }, outputs: { y }, shapes: { x } }) => {
      const [batch, numVertices, channels] = x;
      for (let b = 0; b < batch; b++) {
        const row = b * numVertices + order[b * numVertices];
        y.fill(0, row * channels, (row + 1) * channels);
      }
    }),
    'values are rounded to float16': roundedToFloat16('x'),
    'every item of a batch has the first one’s tree': firstItem('order', 'parent'),
    'every item of a batch has the first one’s values': firstItem('x'),
  },
  gradientKernel: {
    op: AtParentGradient,
    formula: (args) => {
      const dx = new Float64Array(args.inputs.dy.length);
      sumInto(dx, args, parents(args));
      return { dx };
    },
    faults: {
      'the root is not a child of itself': computing((args) => {
        const dx = new Float64Array(args.inputs.dy.length);
        const ids = parents(args);
        sumInto(dx, args, ids, (row) => ids[row] >= 0);
        return { dx };
      }),
      'the last vertex is nobody’s child': computing((args) => {
        const dx = new Float64Array(args.inputs.dy.length);
        const [, numVertices] = args.shapes.order;
        sumInto(dx, args, parents(args), (row) => row % numVertices < numVertices - 1);
        return { dx };
      }),
      'dy is rounded to float16': roundedToFloat16('dy'),
      'every item of a batch has the first one’s dy': firstItem('dy'),
    },
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const { order, parent } = batchOfTrees([shuffledTree('random', side * side, random)]);
      return { inputs: { x: random.tensor([1, side * side, channels]), order, parent } };
    },
  },
});

function samples(random: Random): Sample[] {
  const drawn = Object.keys(TREE_SHAPES).map((shape): Sample => {
    const [batch, numVertices] = [random.integer(2, 4), random.integer(2, 40)];
    const channels = random.pick([1, 3, 4, 5, 8]);
    const trees = Array.from({ length: batch }, () => shuffledTree(shape, numVertices, random));
    const { order, parent } = batchOfTrees(trees);
    return {
      what: `${shape} trees, B = ${batch}, V = ${numVertices}, D = ${channels}`,
      inputs: { x: random.tensor([batch, numVertices, channels]), order, parent },
    };
  });
  const single = batchOfTrees([shuffledTree('path', 1, random), shuffledTree('path', 1, random)]);
  const { order, parent } = batchOfTrees([
    reordered(shuffledTree('random', 30, random), random),
    reordered(shuffledTree('binary', 30, random), random),
  ]);
  return [
    ...drawn,
    { what: 'V = 1', inputs: { x: random.tensor([2, 1, 3]), order: single.order, parent: single.parent } },
    { what: 'not breadth-first', inputs: { x: random.tensor([2, 30, 4]), order, parent } },
  ];
}

/** Parent vertex ids by vertex, -1 at roots, item after item. */
function parents({
  inputs,
  shapes,
}: Pick<FormulaArguments, 'shapes'> & { readonly inputs: NamedValues }): number[] {
  const { order, parent } = inputs;
  return treesOf({ order, parent }, shapes.order).flatMap((tree) => Array.from(parentIdsOf(tree)));
}

/** Adds every row of dy, or only those that count, to the row of its parent; a root's to its own. */
function sumInto(
  dx: Float64Array,
  { inputs: { dy }, shapes }: { readonly inputs: NamedValues; readonly shapes: FormulaArguments['shapes'] },
  ids: readonly number[],
  counts: (row: number) => boolean = () => true,
): void {
  const [batch, numVertices] = shapes.order;
  const channels = dy.length / (batch * numVertices);
  ids.forEach((id, row) => {
    if (!counts(row)) return;
    const to = (id < 0 ? row : row - (row % numVertices) + id) * channels;
    for (let d = 0; d < channels; d++) dx[to + d] += dy[row * channels + d];
  });
}
