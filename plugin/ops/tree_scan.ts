/**
 * TreeScan: propagates features along a tree by dynamic programming in O(V * D) (GrootVL, section 3.2,
 * "tree scanning algorithm"), and TreeScanGradient, its gradients in the features and the decays.
 */
import {
  customGrad,
  type GradSaveFunc,
  registerGradient,
  type Tensor,
  type Tensor3D,
  zeros,
} from '@tensorflow/tfjs-core';
import type { Tree } from './boruvka_mst.js';
import { checkTree } from './graph_checks.js';
import { runKernelOf, runOp } from './kernels.js';
import { defineOp, OpError, type Shapes, showShape } from './op.js';

/** `root`: each vertex sums its subtree. `all`: each vertex sums the whole tree. */
export type Aggregate = 'root' | 'all';

const treeInputs = {
  order: { dtype: 'int32', shape: ['B', 'V'], doc: 'vertex ids, parents before their children' },
  parent: { dtype: 'int32', shape: ['B', 'V'], doc: 'position in `order` of the parent; 0 for the root' },
} as const;

const aggregateAttribute = {
  graphName: 'aggregate',
  default: 'all',
  oneOf: ['root', 'all'],
  doc: 'root: sums over subtrees; all: sums over the whole tree, in two passes',
} as const;

export const TreeScan = defineOp({
  name: 'TreeScan',
  doc:
    'root: y[v] = x[v] + sum over children c of decay[c] * y[c]. all: y[v] = sum over every u of x[u] times the ' +
    'decays along the path u..v.',
  inputs: {
    x: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'what each vertex contributes, by vertex id' },
    decay: {
      dtype: 'float32',
      shape: ['B', 'V', 'D'],
      doc: 'decay[b, v] sits on the edge from v to its parent; that of the root is ignored',
    },
    ...treeInputs,
  },
  attributes: { aggregate: aggregateAttribute },
  outputs: ['y'],
  infer: (shapes) => {
    checkSizes('TreeScan', shapes, ['decay']);
    return [{ shape: [...shapes.x], dtype: 'float32' }];
  },
  validate: ({ order, parent }, _attributes, read) => checkTree('TreeScan', order, parent, read),
  run: ({ x, decay, order, parent }, attributes) => {
    // customGrad, so that the tape sees x and decay alone: the tree may itself depend on what is differentiated.
    const scan = customGrad((...args: (Tensor | GradSaveFunc)[]) => {
      const [x, decay, save] = args as [Tensor, Tensor, GradSaveFunc];
      const [y] = runKernelOf(TreeScan, { x, decay, order, parent }, attributes);
      save([x, decay, order, parent, y]);
      return {
        value: y,
        gradFunc: (dy: Tensor, saved: Tensor[]) => gradients(saved, dy, attributes.aggregate),
      };
    });
    return [scan(x, decay)];
  },
});

export const TreeScanGradient = defineOp({
  name: 'TreeScanGradient',
  doc: 'Gradients of TreeScan in x and decay, given the gradient dy of its output y; that of the root decay is 0.',
  inputs: {
    x: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'as in TreeScan' },
    decay: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'as in TreeScan' },
    ...treeInputs,
    y: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'output of TreeScan' },
    dy: { dtype: 'float32', shape: ['B', 'V', 'D'], doc: 'gradient of y' },
  },
  attributes: { aggregate: aggregateAttribute },
  outputs: ['dx', 'ddecay'],
  infer: (shapes) => {
    checkSizes('TreeScanGradient', shapes, ['decay', 'y', 'dy']);
    return [
      { shape: [...shapes.x], dtype: 'float32' },
      { shape: [...shapes.x], dtype: 'float32' },
    ];
  },
  validate: ({ order, parent }, _attributes, read) => checkTree('TreeScanGradient', order, parent, read),
});

function checkSizes(op: string, shapes: Shapes, likeX: readonly string[]): void {
  const { x } = shapes;
  for (const name of likeX) {
    if (shapes[name].some((extent, axis) => extent !== x[axis])) {
      throw new OpError(
        op,
        `${name} has shape ${showShape(shapes[name])}, wanted that of x, ${showShape(x)}`,
      );
    }
  }
  for (const name of ['order', 'parent']) {
    if (shapes[name][0] !== x[0] || shapes[name][1] !== x[1]) {
      throw new OpError(
        op,
        `${name} has shape ${showShape(shapes[name])}, wanted [B, V] = ${showShape(x.slice(0, 2))} of x`,
      );
    }
  }
  if (x[1] < 1) throw new OpError(op, `x has shape ${showShape(x)}, wanted at least one vertex`);
}

function gradients(saved: Tensor[], dy: Tensor, aggregate: string | number | undefined): Tensor[] {
  const [x, decay, order, parent, y] = saved;
  return runOp(TreeScanGradient, { x, decay, order, parent, y, dy }, { aggregate });
}

// For those who call the kernel through tf.engine().runKernel.
registerGradient({
  kernelName: TreeScan.name,
  inputsToSave: ['x', 'decay', 'order', 'parent'],
  outputsToSave: [true],
  gradFunc: (dy, saved, attributes) => {
    const [dx, ddecay] = gradients(saved, dy as Tensor, attributes.aggregate as string);
    const [, , order, parent] = saved;
    return {
      x: () => dx,
      decay: () => ddecay,
      order: () => zeros(order.shape),
      parent: () => zeros(parent.shape),
    };
  },
});

/**
 * Propagates features along a tree.
 *
 * Differentiable in `x` and `decay`. No gradient flows through the tree: with a tree made from features, the
 * gradient is that of the scan along the tree as it stands.
 *
 * @param x [B, V, D] float32 by vertex id.
 * @param decay [B, V, D] float32; decay[b, v] sits on the edge from v to its parent, and the root's is ignored.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` of the same meaning.
 * @param options.aggregate `all` (default): y[v] is the sum over every vertex u of x[u] times the decays along the
 *     path u..v. `root`: y[v] = x[v] + the sum over its children c of decay[c] * y[c].
 * @returns y [B, V, D] float32 by vertex id.
 * @throws {OpError} on wrong ranks, dtypes or sizes, or an `order` and `parent` that are no tree.
 */
export function treeScan(
  x: Tensor,
  decay: Tensor,
  tree: Pick<Tree, 'order' | 'parent'>,
  options: { aggregate?: Aggregate } = {},
): Tensor3D {
  const { order, parent } = tree;
  return runOp(TreeScan, { x, decay, order, parent }, { aggregate: options.aggregate })[0] as Tensor3D;
}
