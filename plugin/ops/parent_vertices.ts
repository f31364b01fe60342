/**
 * ParentVertices and AtParent: the parent of every vertex, and the values at the parent, by vertex id. With them, tfjs's own
 * ops can compute the decays of a scan from features. AtParentGradient sums over children.
 */
import {
  add,
  cast,
  concat,
  expandDims,
  fill,
  gather,
  less,
  logicalNot,
  onesLike,
  range,
  reshape,
  scalar,
  split,
  sub,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tile,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from './boruvka_mst.js';
import { defineOp, float32, int32 } from './declare.js';
import { checkTree } from './graph_checks.js';
import { readIds, runOp } from './kernels.js';
import { type Aggregate, treeScan, treeScanGradient } from './tree_scan.js';

export const ParentVertices = defineOp({
  name: 'ParentVertices',
  doc: 'The parent of each vertex, by vertex id; -1 for the root.',
  inputs: treeInputs,
  attributes: {},
  outputs: { parents: int32(['B', 'V'], 'vertex id of each parent; -1 for the root') },
  least: { V: 1 },
  compose: ({ order, parent }) => {
    checked('ParentVertices', order, parent);
    const [batch, numVertices] = order.shape as number[];
    // With an input of ones and decays of 0, the gradient of a decay is the gradient at the parent; it is 0 at the root.
    const numbers = tile(reshape(range(1, numVertices + 1), [1, numVertices, 1]), [batch, 1, 1]);
    const one = onesLike(numbers);
    const inputs = { x: one, decay: zerosLike(numbers), order, parent, y: one, dy: numbers };
    const { ddecay } = treeScanGradient(inputs, { aggregate: 'root' });
    return sub(cast(reshape(ddecay, [batch, numVertices]), 'int32'), scalar(1, 'int32'));
  },
});

export const AtParent = defineOp({
  name: 'AtParent',
  doc: 'y[v] = x[parent of v]; the root keeps its own value.',
  inputs: {
    x: float32(['B', 'V', 'D'], 'input values by vertex id'),
    ...treeInputs,
  },
  attributes: {},
  outputs: { y: float32(['B', 'V', 'D'], 'value of each parent, by vertex id') },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('AtParent', order, parent, read),
  compose: ({ x, order, parent }) => {
    checked('AtParent', order, parent);
    const [batch, numVertices, channels] = x.shape as number[];
    const [parents] = runOp(ParentVertices, { order, parent });
    const vertices = range(0, numVertices, 1, 'int32');
    const rows = add(where(less(parents, 0), vertices, parents), itemOffsets(batch, numVertices));
    // Gathers rows of the flattened batch: tfjs's gather with batch dimensions is wrong on its wasm backend.
    return reshape(gather(reshape(x, [-1, channels]), reshape(rows, [-1])), x.shape);
  },
  gradient: {
    saves: ['order', 'parent'],
    compute: ({ order, parent }, [dy]) => ({ x: () => sumsOverChildren(dy, order, parent) }),
  },
});

export const AtParentGradient = defineOp({
  name: 'AtParentGradient',
  doc: 'Gradient of AtParent with respect to x: dx[v] = sum over children c of dy[c]; the root counts as a child of itself.',
  inputs: {
    dy: float32(['B', 'V', 'D'], 'gradient with respect to the output of AtParent'),
    ...treeInputs,
  },
  attributes: {},
  outputs: { dx: float32(['B', 'V', 'D'], 'gradient with respect to x') },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('AtParentGradient', order, parent, read),
  compose: ({ dy, order, parent }) => {
    checked('AtParentGradient', order, parent);
    return composedSums(dy, order, parent);
  },
  gradient: {
    saves: ['order', 'parent'],
    compute: ({ order, parent }, [ddx]) => ({ dy: () => valuesAtParent(ddx, order, parent) }),
  },
});

// The two ops are each other's gradients; these functions let the compiler infer their types.
function valuesAtParent(x: Tensor, order: Tensor, parent: Tensor): Tensor {
  return runOp(AtParent, { x, order, parent })[0];
}

function sumsOverChildren(dy: Tensor, order: Tensor, parent: Tensor): Tensor {
  return runOp(AtParentGradient, { dy, order, parent })[0];
}

/**
 * A scan sums over whole subtrees. If only vertices of odd depth contribute, and only along the edges to their parents, it
 * sums over the children of vertices of even depth, and vice versa. (tfjs's own scatter would add in a different order every
 * time on a GPU.)
 */
function composedSums(dy: Tensor, order: Tensor, parent: Tensor): Tensor {
  const scan = (x: Tensor, decay: Tensor, aggregate: Aggregate) =>
    treeScan(x, decay, { order, parent }, { aggregate });
  const isRoot = expandDims(less(parentVertices({ order, parent }), 0), 2);
  const isOdd = less(scan(cast(isRoot, 'float32'), fill([...isRoot.shape], -1), 'leaves'), 0);
  const zero = zerosLike(dy);
  const sums = scan(
    concat([where(isOdd, dy, zero), where(isOdd, zero, dy)], 2),
    concat([cast(isOdd, 'float32'), cast(logicalNot(isOdd), 'float32')], 2),
    'root',
  );
  const [ofEven, ofOdd] = split(sums, 2, 2);
  return add(where(isOdd, ofOdd, ofEven), where(isRoot, dy, zero));
}

/**
 * Returns the parent of every vertex.
 *
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` with the same meaning.
 * @returns [B, V] int32 vertex ids by vertex id, -1 for the root.
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree.
 */
export function parentVertices(tree: ScanTree): Tensor2D {
  const { order, parent } = tree ?? {}; // if they are missing, the input check reports it
  return runOp(ParentVertices, { order, parent })[0] as Tensor2D;
}

/**
 * Returns the values at the parent of every vertex. Differentiable in `x`; no gradient flows through the tree.
 *
 * @param x [B, V, D] float32 by vertex id.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` with the same meaning.
 * @returns y [B, V, D] float32 by vertex id, y[v] = x[parent of v]; the root has its own value.
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree.
 */
export function atParent(x: Tensor, tree: ScanTree): Tensor3D {
  const { order, parent } = tree ?? {};
  return runOp(AtParent, { x, order, parent })[0] as Tensor3D;
}

/** Checks the tree, as a kernel would before it runs. */
function checked(op: string, order: Tensor, parent: Tensor): void {
  checkTree(op, order, parent, (tensor) => readIds(op, tensor));
}

/** [B, 1] int32: the first row of every item. */
function itemOffsets(batch: number, numVertices: number): Tensor {
  return reshape(range(0, batch * numVertices, numVertices, 'int32'), [batch, 1]);
}
