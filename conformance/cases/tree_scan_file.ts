/** `treescan_*` files: the scan over pinned trees and its gradients. */

import { treeScanBound } from '../../plugin/ops/spec/bound.js';
import { type BatchOfTrees, depthOfBatch } from '../../plugin/ops/spec/rooted_tree.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import type { Aggregate } from '../../plugin/ops/tree_scan.js';
import { treeScanSpec } from '../../plugin/ops/tree_scan.spec.js';
import type { CaseTensor, ConformanceCase, OpCase } from '../case.js';
import { largest } from '../measure.js';
import { gradientCase, outputsCase } from '../spec_cases.js';
import { type CaseFile, channelsLast, LayoutError } from './case_file.js';
import {
  checkSameShape,
  contradiction,
  pairsOf,
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

/** Checks that tensors [B, V, D] of a scan have the same shape, and that it fits the trees. @throws {LayoutError} */
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

/** Whether any of the tensors is float64: ops get them rounded. */
export function isRounded(file: CaseFile, ...names: string[]): boolean {
  return names.some((name) => file.has(name) && file.dtypeOf(name) === 'float64');
}

/** A value in a file: `exact` if it was computed in float64. */
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
  /** Set if x, decay or dy are float64 in the file: its values then belong to slightly different inputs. */
  readonly roundedInputs?: boolean;
  readonly problem?: string;
}

/** The cases of the op and of its gradient: close to the float64 oracle and to the file's values. */
export function treeScanCases(source: TreeScanSource): OpCase[] {
  const { name, x, decay, trees, aggregate, dy, stored = [], storedGradients = [], problem } = source;
  const call = {
    name,
    inputs: { x, decay, order: trees.order, parent: trees.parent },
    attributes: { aggregate },
  };
  const complete = (testCase: OpCase, stored: readonly Stored[]): OpCase => ({
    ...testCase,
    references: [...testCase.references, ...stored],
    contradiction:
      problem ?? firstContradiction(stored, testCase, depthOfBatch(trees.parent), source.roundedInputs),
  });
  return [
    complete(outputsCase(treeScanSpec, call), stored),
    ...(dy ? [complete(gradientCase(treeScanSpec, call, { y: dy }), storedGradients)] : []),
  ];
}

/**
 * A float32 reference has its own rounding errors, a fifth of what a backend may have. On deep trees they accumulate as in a
 * result, in all values alike: measured, the largest is then three times their root mean square. The reference may be as far off
 * as a result, unless single values stand out: those are errors in the file.
 */
function firstContradiction(
  stored: readonly Stored[],
  { references }: OpCase,
  depth: number,
  roundedInputs = false,
): string | undefined {
  for (const { of, from, tensor, exact } of stored) {
    const expected = references.find((reference) => reference.of === of)?.tensor.values ?? [];
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

/** Errors up to this many times their root mean square are common to all values. */
const SPREAD = 6;

/** Of the differences; 0 if some are not finite. */
function rootMeanSquare(given: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += (given[i] - expected[i]) ** 2;
  return Number.isFinite(sum) && expected.length > 0 ? Math.sqrt(sum / expected.length) : 0;
}

/** Checks that `tree_edges` and `bfs_sorted_index`, if present, agree with `parent`. */
function treeProblem(file: CaseFile, { trees }: BatchOfTrees): string | undefined {
  if (file.has('tree_edges')) {
    const edges = itemsOf(file.ints('tree_edges', 3));
    if (edges.length !== trees.length || trees.some((tree, b) => !sameEdges(pairsOf(tree), edges[b]))) {
      return 'the file contradicts itself: tree_edges and parent are different trees';
    }
  }
  if (file.has('bfs_sorted_index')) {
    const parentIds = itemsOf(file.ints('parent'));
    for (const [b, order] of itemsOf(file.ints('bfs_sorted_index', 2)).slice(0, trees.length).entries()) {
      const position = new Map(Array.from(order, (v, i) => [v, i]));
      const wrong = (v: number, i: number) => i > 0 && !((position.get(parentIds[b][v]) ?? i) < i);
      if (position.size !== order.length || Array.from(order).some(wrong)) {
        return 'the file contradicts itself: bfs_sorted_index puts a vertex before its parent';
      }
    }
  }
  return undefined;
}
