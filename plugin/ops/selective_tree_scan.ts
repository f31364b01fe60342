/**
 * SelectiveTreeScan: the selective scan of GrootL (GrootVL, section 3.4), the recurrence along the text plus a fraction of
 * the subtree sums of a tree of its tokens. The states [B, L, D*N] are never stored.
 */
import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { ScanTree } from './boruvka_mst.js';
import { defineOp, int32 } from './declare.js';
import { checkTree } from './graph_checks.js';
import { runOp } from './kernels.js';
import { type SelectiveScanInputs, scanInputNames, scanInputs, scanOutputs } from './selective_scan.js';
import { scanGradients } from './selective_scan_gradient.js';

/** The authors' factor on the tree's sums. */
export const TREE_WEIGHT = 0.3;

export const SelectiveTreeScan = defineOp({
  name: 'SelectiveTreeScan',
  doc:
    'SelectiveScan with states h + treeWeight * s. The vertices of the tree are in reversed time (vertex v is token ' +
    'L-1-v), rooted at vertex 0, and s[v] = input[v] + sum over children c of w[c] * s[c] with w[c] the decay of the ' +
    'token following c.',
  inputs: {
    ...scanInputs,
    order: int32(['B', 'L'], 'vertex ids, each parent before its children'),
    parent: int32(['B', 'L'], 'position in `order` of the parent of order[b, i]; 0 for the root'),
  },
  attributes: {
    treeWeight: { type: 'number', default: TREE_WEIGHT, doc: 'factor on the subtree sums of the tree' },
  },
  outputs: scanOutputs,
  least: { L: 1 },
  // Vertex 0 is the last token: with another root, its decay would be that of the token after the last.
  validate: ({ order, parent }, _attributes, read) => checkTree('SelectiveTreeScan', order, parent, read, 0),
  gradient: {
    saves: [...scanInputNames, 'order', 'parent'],
    compute: ({ order, parent, ...inputs }, dy, { treeWeight }) =>
      scanGradients(inputs, dy, [{ scale: 1 }, { scale: treeWeight, tree: { order, parent } }]),
  },
});

/**
 * Runs the selective scan of GrootL. Differentiable in the tensors of `inputs`; no gradient flows through the tree.
 * @param tree of {@link boruvkaMST} over {@link windowGraph}, rooted at vertex 0, the last token.
 * @param options.treeWeight factor on the tree's sums, 0.3 by default.
 * @returns `y` [B, L, D] and the state after the last token, [B, D, N].
 * @throws {OpError} if a rank, dtype or size is wrong, or `order` and `parent` do not form a tree rooted at vertex 0.
 */
export function selectiveTreeScan(
  inputs: SelectiveScanInputs,
  tree: ScanTree,
  options: { treeWeight?: number } = {},
): { y: Tensor3D; nextState: Tensor3D } {
  const { order, parent } = tree ?? {}; // if they are missing, the input check reports it
  const [y, nextState] = runOp(SelectiveTreeScan, { ...inputs, order, parent }, { ...options }) as Tensor3D[];
  return { y, nextState };
}
