/** `treescan_*` files: the scan over pinned trees and its gradients. */
import { treeScanBound, UNPROMISED } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, float64, type OpCase, type Reference } from '../case.js';
import { largest } from '../measure.js';
import { type Aggregate, treeScan, treeScanGradient } from '../oracles/tree_scan.js';
import { type CaseFile, channelsLast } from './case_file.js';
import {
  type BatchOfTrees,
  concatenated,
  contradiction,
  pairsOf,
  rows,
  sameEdges,
  storedAsFloat32,
  treesOfParentIds,
} from './tree_cases.js';

export function isTreeScanFile(file: CaseFile): boolean {
  return file.has('feature_in', 'edge_weight', 'parent') && file.has('feature_out');
}

export function treeScanFileCases(file: CaseFile): ConformanceCase[] {
  const trees = treesOfParentIds(file.ints('parent'));
  const stored = (of: string, exact: string, rounded: string): Stored[] => [
    ...(file.has(exact) ? [{ of, from: exact, tensor: channelsLast(file.tensor(exact)), exact: true }] : []),
    ...(file.has(rounded)
      ? [{ of, from: rounded, tensor: channelsLast(file.tensor(rounded)), exact: false }]
      : []),
  ];
  return treeScanCases({
    name: file.name,
    x: channelsLast(file.floats('feature_in')),
    decay: channelsLast(file.floats('edge_weight')),
    trees,
    aggregate: 'all',
    stored: stored('y', 'feature_out_true', 'feature_out'),
    dy: file.has('grad_output') ? channelsLast(file.floats('grad_output')) : undefined,
    storedGradients: [
      ...stored('x', 'grad_x_true', 'grad_x_official'),
      ...stored('decay', 'grad_w_true', 'grad_w_official'),
    ],
    problem: treeProblem(file, trees),
  });
}

/** A value of a file: `exact` when it was computed in float64. */
export interface Stored {
  readonly of: string;
  readonly from: string;
  readonly tensor: CaseTensor;
  readonly exact: boolean;
}

export interface TreeScanSource {
  readonly name: string;
  /** [B, V, D], by vertex id. */
  readonly x: CaseTensor;
  readonly decay: CaseTensor;
  readonly trees: BatchOfTrees;
  readonly aggregate: Aggregate;
  readonly stored?: readonly Stored[];
  readonly dy?: CaseTensor;
  readonly storedGradients?: readonly Stored[];
  readonly problem?: string;
  /** Set where x holds NaN or infinities: those are not promised by every tolerance class. */
  readonly notFinite?: boolean;
}

/** The cases of TreeScan and of its gradient: near the float64 oracle and near what the file says. */
export function treeScanCases(source: TreeScanSource): OpCase[] {
  const {
    name,
    x,
    decay,
    trees,
    aggregate,
    dy,
    stored = [],
    storedGradients = [],
    problem,
    notFinite,
  } = source;
  const channels = x.shape[2];
  const [xs, decays] = [rows(x), rows(decay)];
  const y = concatenated(trees.trees.map((tree, b) => treeScan(xs[b], decays[b], tree, channels, aggregate)));
  const oracle = (of: string, values: Float64Array): Reference[] => {
    const reference = { of, from: 'float64 oracle', tensor: float64(x.shape, values) };
    if (!notFinite) return [reference];
    return [
      { ...reference, only: 'float32' },
      { ...reference, only: 'shader', bound: UNPROMISED },
    ];
  };
  const common = {
    kind: 'op',
    name,
    op: 'TreeScan',
    inputs: { x, decay, order: trees.order, parent: trees.parent },
    attributes: { aggregate },
  } as const;
  const cases: OpCase[] = [
    {
      ...common,
      references: [...oracle('y', y), ...stored],
      contradiction: problem ?? firstContradiction(stored, { y }, trees.depth),
    },
  ];
  if (dy) {
    const dys = rows(dy);
    const gradients = trees.trees.map((tree, b) =>
      treeScanGradient(xs[b], decays[b], dys[b], tree, channels, aggregate),
    );
    const dx = concatenated(gradients.map((gradient) => gradient.dx));
    const ddecay = concatenated(gradients.map((gradient) => gradient.ddecay));
    cases.push({
      ...common,
      outputGradients: { y: dy },
      references: [...oracle('x', dx), ...oracle('decay', ddecay), ...storedGradients],
      contradiction: problem ?? firstContradiction(storedGradients, { x: dx, decay: ddecay }, trees.depth),
    });
  }
  return cases;
}

function firstContradiction(
  stored: readonly Stored[],
  oracle: Readonly<Record<string, Float64Array>>,
  depth: number,
): string | undefined {
  for (const { of, from, tensor, exact } of stored) {
    const wanted = oracle[of];
    const scale = largest(wanted);
    // A float32 reference has a rounding error of its own: a fifth of what a backend may have on deep trees.
    const { relative, absolute } = treeScanBound(depth, 'float32');
    const rounded = { relative: 0, absolute: absolute + Math.max(1.5e-6, relative / 5) * scale };
    const allowed = exact && tensor.dtype !== 'float64' ? storedAsFloat32(scale) : rounded;
    const found = contradiction(
      from,
      tensor.values,
      wanted,
      tensor.dtype === 'float64' ? { relative: 1e-12, absolute: 1e-12 * scale } : allowed,
    );
    if (found) return found;
  }
  return undefined;
}

/** `tree_edges` and `bfs_sorted_index` say the same as `parent`, where they are there. */
function treeProblem(file: CaseFile, { trees }: BatchOfTrees): string | undefined {
  if (file.has('tree_edges')) {
    const edges = rows(file.ints('tree_edges'));
    if (trees.some((tree, b) => !sameEdges(pairsOf(tree), edges[b]))) {
      return 'the file contradicts itself: tree_edges and parent are different trees';
    }
  }
  if (file.has('bfs_sorted_index')) {
    const parentIds = rows(file.ints('parent'));
    for (const [b, order] of rows(file.ints('bfs_sorted_index')).entries()) {
      const position = new Map(Array.from(order, (v, i) => [v, i]));
      const wrong = (v: number, i: number) => i > 0 && !((position.get(parentIds[b][v]) ?? i) < i);
      if (position.size !== order.length || Array.from(order).some(wrong)) {
        return 'the file contradicts itself: bfs_sorted_index puts a vertex before its parent';
      }
    }
  }
  return undefined;
}
