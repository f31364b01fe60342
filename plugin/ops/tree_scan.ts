/**
 * TreeScan: propagates features along a tree by dynamic programming in O(V * D) (GrootVL, section 3.2,
 * "tree scanning algorithm"), and TreeScanGradient, its gradients in the features and the decays.
 */
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { type ScanTree, treeInputs } from './boruvka_mst.js';
import { defineOp, float32 } from './declare.js';
import { checkTree } from './graph_checks.js';
import { runOp } from './kernels.js';

/** Each vertex sums its subtree (`root`), the whole tree (`all`), or its ancestors and itself (`leaves`). */
export type Aggregate = 'root' | 'all' | 'leaves';

const features = (doc: string) => float32(['B', 'V', 'D'], doc);
const decays = (doc: string) => float32(['B', 'V', 'G'], doc);

/** Channels that share a decay: channel d has that of group floor(d / P). */
const derived = { P: 'D/G' } as const;

const attributes = {
  aggregate: {
    type: 'string',
    default: 'all',
    oneOf: ['root', 'all', 'leaves'],
    doc:
      'root: sums over each subtree; all: sums over the whole tree, in two passes; leaves: sums over each vertex and ' +
      'its ancestors',
  },
} as const;

export const TreeScan = defineOp({
  name: 'TreeScan',
  doc:
    'root: y[v] = x[v] + sum over children c of decay[c] * y[c]. all: y[v] = sum over every u of x[u] times the ' +
    'decays along the path u..v. leaves: y[v] = x[v] + decay[v] * y[parent of v].',
  inputs: {
    x: features('contribution of each vertex, by vertex id'),
    decay: decays(
      'decay[b, v] is the decay along the edge from v to its parent; ignored at the root. Channel d uses the decay of ' +
        'group floor(d / (D/G))',
    ),
    ...treeInputs,
  },
  attributes,
  derived,
  outputs: { y: features('sum at each vertex, by vertex id') },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('TreeScan', order, parent, read),
  gradient: {
    saves: ['x', 'decay', 'order', 'parent'],
    savesOutputs: true,
    compute: ({ x, decay, order, parent, y }, [dy], { aggregate }) => {
      const { dx, ddecay } = treeScanGradient({ x, decay, order, parent, y, dy }, { aggregate });
      return { x: () => dx, decay: () => ddecay };
    },
  },
});

export const TreeScanGradient = defineOp({
  name: 'TreeScanGradient',
  doc:
    'Gradients of TreeScan with respect to x and decay, given the gradient dy with respect to its output y; 0 for the ' +
    'decay of the root.',
  inputs: {
    x: features('input x of TreeScan'),
    decay: decays('decay of TreeScan'),
    ...treeInputs,
    y: features('output of TreeScan'),
    dy: features('gradient with respect to y'),
  },
  attributes,
  derived,
  outputs: {
    dx: features('gradient with respect to x'),
    ddecay: decays('gradient with respect to decay, summed over the channels of a group'),
  },
  least: { V: 1 },
  validate: ({ order, parent }, _attributes, read) => checkTree('TreeScanGradient', order, parent, read),
});

/**
 * Computes the gradients of a scan in x and decay.
 * @param inputs those of the scan, its output y, and the gradient of y.
 */
export function treeScanGradient(
  inputs: Readonly<Record<keyof typeof TreeScanGradient.inputs, Tensor>>,
  options: { aggregate: Aggregate },
): { dx: Tensor; ddecay: Tensor } {
  const [dx, ddecay] = runOp(TreeScanGradient, inputs, { ...options });
  return { dx, ddecay };
}

/**
 * Propagates features along a tree.
 *
 * Differentiable in `x` and `decay`. No gradient flows through the tree: for a tree computed from features, the gradient
 * treats the tree as constant.
 *
 * @param x [B, V, D] float32 by vertex id.
 * @param decay [B, V, G] float32, D divisible by G: channel d has the decay of group floor(d / (D/G)). decay[b, v] belongs
 *   to the edge from v to its parent; the root's is ignored.
 * @param tree of {@link boruvkaMST}, or any `order` and `parent` with the same meaning.
 * @param options.aggregate `all` (default): y[v] is the sum over every vertex u of x[u] times the decays along the path
 *   u..v. `root`: y[v] = x[v] + the sum over its children c of decay[c] * y[c]. `leaves`: y[v] = x[v] + decay[v] * y[parent
 *   of v]. `all` takes the contribution of a subtree out again on its way down: where |decay| exceeds 1, rounding errors
 *   grow by that factor per edge of a path.
 * @returns y [B, V, D] float32 by vertex id.
 * @throws {OpError} if a rank, dtype or size is wrong, G does not divide D, or `order` and `parent` do not form a tree.
 */
export function treeScan(
  x: Tensor,
  decay: Tensor,
  tree: ScanTree,
  options: { aggregate?: Aggregate } = {},
): Tensor3D {
  const { order, parent } = tree ?? {}; // if they are missing, the input check reports it
  return runOp(TreeScan, { x, decay, order, parent }, { aggregate: options.aggregate })[0] as Tensor3D;
}
