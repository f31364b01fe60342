/** `op_scan_*` and `op_parent_dissimilarity_*` files: scans with decays per group of channels, distances to parents. */
import { normalizedTreeScan } from '../../plugin/filters/scans.js';
import type { Metric } from '../../plugin/ops/edge_dissimilarity.js';
import { parentDissimilaritySpec } from '../../plugin/ops/parent_dissimilarity.spec.js';
import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import type { Aggregate } from '../../plugin/ops/tree_scan.js';
import type { CaseTensor, ConformanceCase, OpCase } from '../case.js';
import { largest } from '../measure.js';
import { gradientCase, outputsCase } from '../spec_cases.js';
import { toTensor } from '../tfjs_backend.js';
import { type CaseFile, LayoutError } from './case_file.js';
import { compositionCases, stored } from './composition_cases.js';
import { checkSameShape, contradiction, storedAsFloat32, treesOfParentIds } from './tree_cases.js';
import { checkScan, treeScanCases } from './tree_scan_file.js';

const AGGREGATES: readonly Aggregate[] = ['root', 'all', 'leaves'];

export function isGroupedScanFile(file: CaseFile): boolean {
  return file.has('x', 'decay', 'parent', 'grad_output', ...AGGREGATES.map((aggregate) => `y_${aggregate}`));
}

export function groupedScanFileCases(file: CaseFile): ConformanceCase[] {
  const [x, decay, dy] = ['x', 'decay', 'grad_output'].map((name) => file.input(name, 3));
  const trees = treesOfParentIds(file.ints('parent', 2));
  checkSameShape(file.path, { x, grad_output: dy });
  checkScan(file.path, { x }, trees);
  checkGroups(file, decay, x.shape[2], trees);
  const exact = (of: string, from: string) =>
    file.has(from) ? [{ of, from, tensor: file.tensor(from, 3), exact: true }] : [];
  const scans = AGGREGATES.flatMap((aggregate) =>
    treeScanCases({
      name: `${file.name} ${aggregate}`,
      x,
      decay,
      trees,
      aggregate,
      dy,
      stored: exact('y', `y_${aggregate}`),
      storedGradients: [...exact('x', `grad_x_${aggregate}`), ...exact('decay', `grad_decay_${aggregate}`)],
    }),
  );
  const read = (name: string) => file.tensor(name, 3);
  if (!file.has('y_normalized')) return scans;
  const normalized = compositionCases({
    file,
    name: `${file.name} normalized`,
    op: 'normalizedTreeScan',
    inputs: { x, decay },
    run: ({ x, decay }) => {
      const [order, parent] = [trees.order, trees.parent].map(toTensor);
      return { y: normalizedTreeScan(x, decay, { order, parent }) };
    },
    expected: stored(file, 'y', 'y_normalized', read),
    trees: [],
    gradient: {
      of: 'y',
      dy,
      expected: ['x', 'decay'].flatMap((of) => stored(file, of, `grad_${of}_normalized`, read)),
    },
  });
  return [...scans, ...normalized];
}

const METRICS: readonly Metric[] = ['euclidean', 'manhattan', 'cosine'];

export function isParentDissimilarityFile(file: CaseFile): boolean {
  return file.has('features', 'parent', 'grad_output', ...METRICS.map((metric) => `d_${metric}`));
}

export function parentDissimilarityFileCases(file: CaseFile): ConformanceCase[] {
  const [features, dy] = ['features', 'grad_output'].map((name) => file.input(name, 3));
  const trees = treesOfParentIds(file.ints('parent', 2));
  checkScan(file.path, { features }, trees);
  checkGroups(file, dy, features.shape[2], trees);
  const groups = dy.shape[2];
  return METRICS.flatMap((metric) => {
    const inputs = { features, order: trees.order, parent: trees.parent };
    const call = { name: `${file.name} ${metric}`, inputs, attributes: { metric, groups } };
    const spec = parentDissimilaritySpec;
    return [
      withStored(file, outputsCase(spec, call), 'distance', `d_${metric}`),
      withStored(file, gradientCase(spec, call, { distance: dy }), 'features', `grad_features_${metric}`),
    ];
  });
}

/** A case with the additional value from the file, which must not contradict the float64 oracle. */
function withStored(file: CaseFile, testCase: OpCase, of: string, from: string): OpCase {
  if (!file.has(from)) return testCase;
  const tensor = file.tensor(from, 3);
  const [{ tensor: oracle }] = testCase.references;
  const { relative, absolute } = storedAsFloat32(Math.max(1, largest(oracle.values)));
  return {
    ...testCase,
    references: [...testCase.references, { of, from, tensor }],
    contradiction: contradiction(from, tensor.values, oracle.values, { relative, absolute }),
  };
}

/** Checks that a tensor is [B, V, G] for the given trees, and that G divides the number of channels. @throws {LayoutError} */
function checkGroups(
  file: CaseFile,
  { shape }: CaseTensor,
  channels: number,
  { parent }: BatchOfTrees,
): void {
  const [batch, numVertices] = parent.shape;
  if (shape[0] === batch && shape[1] === numVertices && channels % shape[2] === 0) return;
  throw new LayoutError(
    `${file.path}: a tensor has the shape [${shape}], expected [${batch}, ${numVertices}, G], G a divisor of ${channels}`,
  );
}
