/** `op_path_scan_*` files: paths through a grid, the recurrences along them, and the sum over four paths. */
import { addN, type Tensor, unstack } from '@tensorflow/tfjs-core';
import { type PathDirection, pathTree } from '../../plugin/ops/path_tree.js';
import { pathTreeSpec } from '../../plugin/ops/path_tree.spec.js';
import { batchOfTrees, parentIdsOf } from '../../plugin/ops/spec/rooted_tree.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { treeScan } from '../../plugin/ops/tree_scan.js';
import { type CaseTensor, type ConformanceCase, float32, int32, type OpCase } from '../case.js';
import { outputsCase } from '../spec_cases.js';
import { type CaseFile, LayoutError, metadataOf } from './case_file.js';
import { compositionCases, numberOf } from './composition_cases.js';
import { checkSameShape } from './tree_cases.js';
import { treeScanCases } from './tree_scan_file.js';

export function isPathScanFile(file: CaseFile): boolean {
  return file.has('x', 'decay', 'order.row', 'parent.row', 'y.row');
}

interface Path {
  readonly direction: PathDirection;
  readonly reverse: boolean;
}

export function pathScanFileCases(file: CaseFile): ConformanceCase[] {
  const names = file.names.flatMap((name) => /^order\.(\w+)$/.exec(name)?.[1] ?? []);
  const [x, decay] = ['x', 'decay'].map((name) => file.input(name, 4));
  const grid = gridOfPaths(file, x);
  return [
    ...names.flatMap((name) => pathCases(file, name, grid, x, decay)),
    ...(file.has('y_cross') ? crossCases(file, grid, x, decay) : []),
  ];
}

type Grid = readonly [height: number, width: number];

/** The grid in the metadata of the pixels of x [K, B, V, D]. @throws {LayoutError} if the sizes differ */
function gridOfPaths(file: CaseFile, { shape }: CaseTensor): Grid {
  const [height, width] = ['height', 'width'].map((extent) => numberOf(file, extent));
  const [, , numVertices] = shape;
  if (Number.isInteger(height) && Number.isInteger(width) && height > 0 && height * width === numVertices) {
    return [height, width];
  }
  throw new LayoutError(`${file.path}: x has ${numVertices} vertices, its grid is ${height} x ${width}`);
}

/** @throws {LayoutError} if there is no such path */
function pathOf(file: CaseFile, name: string): Path {
  const [direction, reverse] = name.split('_');
  if (['row', 'snake', 'column'].includes(direction) && (reverse ?? 'reverse') === 'reverse') {
    return { direction: direction as PathDirection, reverse: reverse !== undefined };
  }
  throw new LayoutError(
    `${file.path}: ${name} is not a path, expected row, snake or column, or one of them _reverse`,
  );
}

/** The path as a tree, and the scans along it. */
function pathCases(
  file: CaseFile,
  name: string,
  [height, width]: Grid,
  x: CaseTensor,
  decay: CaseTensor,
): ConformanceCase[] {
  const numVertices = height * width;
  const [order, parents] = ['order', 'parent'].map((part) => file.ints(`${part}.${name}`, 1));
  if (order.values.length !== numVertices) {
    throw new LayoutError(
      `${file.path}: order.${name} has the shape [${order.shape}], expected [${numVertices}]`,
    );
  }
  checkSameShape(file.path, { [`order.${name}`]: order, [`parent.${name}`]: parents });
  const testCase = outputsCase(pathTreeSpec, {
    name: `${file.name} ${name}`,
    inputs: { x: float32([1, height, width, 1], new Float32Array(numVertices)) },
    attributes: { ...pathOf(file, name) },
  });
  const tree = {
    order: order.values as Int32Array,
    parent: Int32Array.from({ length: numVertices }, (_, i) => Math.max(0, i - 1)),
  };
  const isSame = parentIdsOf(tree).every((id, v) => id === parents.values[v]);
  const path: OpCase = {
    ...testCase,
    references: [
      ...testCase.references,
      { of: 'order', from: `order.${name}`, tensor: int32([1, numVertices], order.values) },
    ],
    contradiction: isSame
      ? undefined
      : `the file contradicts itself: parent.${name} is not along order.${name}`,
  };
  const [first, firstDecay] = [x, decay].map(
    (all): CaseTensor => float32(all.shape.slice(1), itemsOf(all)[0] as Float32Array),
  );
  const trees = batchOfTrees(Array.from({ length: first.shape[0] }, () => tree));
  const scans = [
    ['leaves', `y.${name}`],
    ['all', `y_all.${name}`],
  ] as const;
  return [
    path,
    ...scans.flatMap(([aggregate, from]) => {
      if (!file.has(from)) return [];
      const stored = [{ of: 'y', from, tensor: file.tensor(from, 3), exact: true }];
      const source = { name: `${file.name} ${from}`, x: first, decay: firstDecay, trees, aggregate, stored };
      return treeScanCases(source);
    }),
  ];
}

/** The sum over four paths, each with its own inputs, along trees of the backend. */
function crossCases(
  file: CaseFile,
  [height, width]: Grid,
  x: CaseTensor,
  decay: CaseTensor,
): ConformanceCase[] {
  const names = metadataOf<string[]>(file, 'cross');
  if (!(Array.isArray(names) && names.length === x.shape[0])) {
    throw new LayoutError(`${file.path}: x is of ${x.shape[0]} paths, cross names ${JSON.stringify(names)}`);
  }
  const paths = names.map((name) => pathOf(file, String(name)));
  const stored = (of: string, from: string, rank: number) => [{ of, from, tensor: file.tensor(from, rank) }];
  return compositionCases({
    file,
    op: 'cross scan',
    inputs: { x, decay },
    run: ({ x, decay }) => {
      const [rows, decays] = [x, decay].map((all) => unstack(all));
      const scans = paths.map((path, k): Tensor => {
        const batch = rows[k].shape[0];
        const tree = pathTree(height, width, { ...path, batch });
        return treeScan(rows[k], decays[k], tree, { aggregate: 'leaves' });
      });
      return { y: addN(scans) };
    },
    expected: stored('y', 'y_cross', 3),
    trees: [],
    gradient: {
      of: 'y',
      dy: file.input('grad_output', 3),
      expected: [...stored('x', 'grad_x_cross', 4), ...stored('decay', 'grad_decay_cross', 4)],
    },
  });
}
