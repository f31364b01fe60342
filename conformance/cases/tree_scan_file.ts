/** `treescan_*` files: the scan over pinned trees and its gradients. */
import { treeScanBound, UNPROMISED } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, float64, type OpCase, type Reference } from '../case.js';
import { largest } from '../measure.js';
import { type Aggregate, treeScan, treeScanGradient } from '../oracles/tree_scan.js';
import { type CaseFile, channelsLast, LayoutError } from './case_file.js';
import {
  type BatchOfTrees,
  checkSameShape,
  concatenated,
  contradiction,
  pairsOf,
  rows,
  sameEdges,
  storedAsFloat32,
  treesOfParentIds,
} from './tree_cases.js';

export function isTreeScanFile(file: CaseFile): boolean {
  return file.has('feature_in', 'edge_weight', 'parent');
}

export function treeScanFileCases(file: CaseFile): ConformanceCase[] {
  const trees = treesOfParentIds(file.ints('parent', 2));
  const [x, decay] = ['feature_in', 'edge_weight'].map((name) => channelsLast(file.input(name, 3)));
  const dy = file.has('grad_output') ? channelsLast(file.input('grad_output', 3)) : undefined;
  checkScan(file.path, { feature_in: x, edge_weight: decay, ...(dy && { grad_output: dy }) }, trees);
  const stored = (of: string, exact: string, rounded: string): Stored[] =>
    [exact, rounded]
      .filter((from) => file.has(from))
      .map((from) => ({ of, from, tensor: channelsLast(file.tensor(from, 3)), exact: from === exact }));
  return treeScanCases({
    name: file.name,
    x,
    decay,
    trees,
    aggregate: 'all',
    stored: stored('y', 'feature_out_true', 'feature_out'),
    dy,
    storedGradients: [
      ...stored('x', 'grad_x_true', 'grad_x_official'),
      ...stored('decay', 'grad_w_true', 'grad_w_official'),
    ],
    roundedInputs: isRounded(file, 'feature_in', 'edge_weight', 'grad_output'),
    problem: treeProblem(file, trees),
  });
}

/** Tensors [B, V, D] of a scan have one shape, that of its trees. @throws {LayoutError} */
export function checkScan(
  path: string,
  tensors: Readonly<Record<string, CaseTensor>>,
  { parent }: BatchOfTrees,
): void {
  checkSameShape(path, tensors);
  const [[name, { shape }]] = Object.entries(tensors);
  if (shape.slice(0, 2).join() !== parent.shape.join()) {
    throw new LayoutError(
      `${path}: ${name} has ${shape.slice(0, 2)} items and vertices, its trees ${parent.shape}`,
    );
  }
}

/** Whether some of the tensors are float64: they are rounded before an op takes them. */
export function isRounded(file: CaseFile, ...names: string[]): boolean {
  return names.some((name) => file.has(name) && file.dtypeOf(name) === 'float64');
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
  /** Set when x, decay or dy were float64 in the file: its values then belong to slightly other inputs. */
  readonly roundedInputs?: boolean;
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
    roundedInputs = false,
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
      contradiction: problem ?? firstContradiction(stored, { y }, trees.depth, roundedInputs),
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
      contradiction:
        problem ?? firstContradiction(storedGradients, { x: dx, decay: ddecay }, trees.depth, roundedInputs),
    });
  }
  return cases;
}

/**
 * A float32 reference has roundings of its own, a fifth of what a backend may have. On deep trees they pile up as those
 * of a result do, in all values alike: measured, the largest is then three times their root mean square. As far as a
 * result may be off the reference may be too, unless single values stand out: those are errors of the file.
 */
function firstContradiction(
  stored: readonly Stored[],
  oracle: Readonly<Record<string, Float64Array>>,
  depth: number,
  roundedInputs: boolean,
): string | undefined {
  for (const { of, from, tensor, exact } of stored) {
    const expected = oracle[of];
    const scale = largest(expected);
    const { relative, absolute } = treeScanBound(depth, 'float32');
    const rounded = () => {
      const single = Math.max(1.5e-6, relative / 5) * scale;
      const together = Math.min(relative * scale, SPREAD * rootMeanSquare(tensor.values, expected));
      return { relative: 0, absolute: absolute + Math.max(single, together) };
    };
    const allowed =
      !exact || roundedInputs
        ? rounded()
        : tensor.dtype === 'float64'
          ? { relative: 1e-12, absolute: 1e-12 * scale }
          : storedAsFloat32(scale);
    const found = contradiction(from, tensor.values, expected, allowed);
    if (found) return found;
  }
  return undefined;
}

/** Errors up to this many times their root mean square are those of all values. */
const SPREAD = 6;

/** Of the differences; 0 where some are not finite. */
function rootMeanSquare(given: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += (given[i] - expected[i]) ** 2;
  return Number.isFinite(sum) && expected.length > 0 ? Math.sqrt(sum / expected.length) : 0;
}

/** `tree_edges` and `bfs_sorted_index` say the same as `parent`, where they are there. */
function treeProblem(file: CaseFile, { trees }: BatchOfTrees): string | undefined {
  if (file.has('tree_edges')) {
    const edges = rows(file.ints('tree_edges', 3));
    if (edges.length !== trees.length || trees.some((tree, b) => !sameEdges(pairsOf(tree), edges[b]))) {
      return 'the file contradicts itself: tree_edges and parent are different trees';
    }
  }
  if (file.has('bfs_sorted_index')) {
    const parentIds = rows(file.ints('parent'));
    for (const [b, order] of rows(file.ints('bfs_sorted_index', 2)).slice(0, trees.length).entries()) {
      const position = new Map(Array.from(order, (v, i) => [v, i]));
      const wrong = (v: number, i: number) => i > 0 && !((position.get(parentIds[b][v]) ?? i) < i);
      if (position.size !== order.length || Array.from(order).some(wrong)) {
        return 'the file contradicts itself: bfs_sorted_index puts a vertex before its parent';
      }
    }
  }
  return undefined;
}
