/** `op_random_tree_*` and `op_tree_mapping_*` files: seeded random trees, and trees of mapped weights. */
import { dispose, neg, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { mapped } from '../../plugin/filters/grid_tree.js';
import { boruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { edgeDissimilarity } from '../../plugin/ops/edge_dissimilarity.js';
import { randomSpanningTreeSpec, uniform } from '../../plugin/ops/random_spanning_tree.spec.js';
import { EXACT } from '../../plugin/ops/spec/bound.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import {
  type CaseTensor,
  type ConformanceCase,
  type OpCase,
  type ProgramCase,
  programCase,
} from '../case.js';
import { outputsCase } from '../spec_cases.js';
import { readTensor, toTensor } from '../tfjs_backend.js';
import { comparisonOf, judge } from '../verdict.js';
import { type CaseFile, LayoutError } from './case_file.js';
import { numberOf } from './composition_cases.js';
import { mstCase } from './mst_file.js';
import { checkEdges, treesOfParentIds } from './tree_cases.js';

export function isRandomTreeFile(file: CaseFile): boolean {
  return file.has('edges', 'similarity', 'edge_index', 'parent');
}

export function randomTreeFileCases(file: CaseFile): ConformanceCase[] {
  const parents = file.ints('parent', 2);
  const numVertices = parents.shape[1];
  const [similarity, edges] = [file.input('similarity', 2), file.ints('edges', 2)];
  checkEdges(edges, numVertices);
  const testCase = outputsCase(randomSpanningTreeSpec, {
    name: file.name,
    inputs: { similarity, edges },
    attributes: { numVertices, root: rootOf(parents), seed: numberOf(file, 'seed') },
  });
  return [withTree(testCase, file, '', probeProblem(file))];
}

/** Checks that the spec draws the same random numbers as the file. */
function probeProblem(file: CaseFile): string | undefined {
  if (!file.has('probe', 'probe_uniform')) return undefined;
  const draws = file.floats('probe_uniform', 1).values;
  const wrong = itemsOf(file.ints('probe', 2)).findIndex(
    ([seed, item, round, slot], i) => uniform(seed, item, round, slot) !== draws[i],
  );
  return wrong < 0
    ? undefined
    : `the file contradicts the oracle: probe_uniform[${wrong}] is ${draws[wrong]}`;
}

/** All trees in a file have the same root: the vertex whose parent is -1. @throws {LayoutError} */
function rootOf(parents: CaseTensor): number {
  const roots = new Set(itemsOf(parents).map((row) => Array.from(row).indexOf(-1)));
  const [root] = roots;
  if (roots.size === 1 && root >= 0) return root;
  throw new LayoutError(`the trees have the roots ${[...roots]}, expected one`);
}

/** A case of an op that builds trees, with the file's trees: `<prefix>edge_index` and `<prefix>parent`. */
function withTree(testCase: OpCase, file: CaseFile, prefix: string, problem?: string): OpCase {
  const [index, parents] = ['edge_index', 'parent'].map((part) => file.ints(prefix + part, 2));
  const { order, parent } = treesOfParentIds(parents);
  const stored = [
    { of: 'edgeIndex', from: `${prefix}edge_index`, tensor: index },
    { of: 'order', from: `${prefix}parent`, tensor: order },
    { of: 'parent', from: `${prefix}parent`, tensor: parent },
  ];
  return {
    ...testCase,
    references: [...testCase.references, ...stored],
    contradiction: testCase.contradiction ?? problem,
  };
}

/** Functions applied to edge weights in float32 before the tree is built. */
const MAPPINGS: Readonly<Record<string, (weights: Tensor) => Tensor>> = {
  identity: (weights) => weights,
  plus_one: (weights) => mapped(weights, 'plus_one'),
  exp: (weights) => mapped(weights, 'exp'),
  negative: neg,
};

export function isTreeMappingFile(file: CaseFile): boolean {
  return mappingsOf(file).length > 0;
}

/** `<group>.<mapping>` of a file. */
function mappingsOf(file: CaseFile): { readonly group: string; readonly mapping: string }[] {
  if (!file.has('edges')) return [];
  return file.names.flatMap((name) => {
    const [, group, mapping] = /^(\w+)\.(\w+)\.edge_weights$/.exec(name) ?? [];
    return MAPPINGS[mapping] && file.has(`${group}.features`) ? [{ group, mapping }] : [];
  });
}

export function treeMappingFileCases(file: CaseFile): ConformanceCase[] {
  const edges = file.ints('edges', 2);
  return mappingsOf(file).flatMap(({ group, mapping }) => {
    const features = file.input(`${group}.features`, 3);
    const prefix = `${group}.${mapping}.`;
    const given = mstCase({
      name: `${file.name} ${group} ${mapping}`,
      weights: file.input(`${prefix}edge_weights`, 2),
      edges,
      numVertices: features.shape[1],
    });
    return [withTree(given, file, prefix), mappedTreeCase(file, prefix, features, edges, MAPPINGS[mapping])];
  });
}

/** The same from features: squared distances on a lattice are exact in any order of summation, and so is the tree. */
function mappedTreeCase(
  file: CaseFile,
  prefix: string,
  features: CaseTensor,
  edges: CaseTensor,
  map: (weights: Tensor) => Tensor,
): ProgramCase {
  const weights = file.floats(`${prefix}edge_weights`, 2);
  const { order, parent } = treesOfParentIds(file.ints(`${prefix}parent`, 2));
  const expected = { edge_index: file.ints(`${prefix}edge_index`, 2), order, parent };
  // An exponential may be off by a few units; for equal weights it is the same.
  const relative = prefix.includes('.exp.') ? 2e-6 : 0;
  return programCase(`${file.name} ${prefix.slice(0, -1).replace('.', ' ')}`, 'mapped tree', async () => {
    const made = tidy(() => {
      const [x, pairs] = [features, edges].map(toTensor);
      const mappedWeights = map(edgeDissimilarity(x, pairs, { metric: 'euclidean' }));
      const tree = boruvkaMST(mappedWeights, pairs, { numVertices: features.shape[1] });
      return [tree.edgeIndex, tree.order, tree.parent, mappedWeights] as Tensor[];
    });
    const [edgeIndex, ownOrder, ownParent, ownWeights] = await Promise.all(made.map(readTensor));
    dispose(made);
    const trees = { edge_index: edgeIndex, order: ownOrder, parent: ownParent };
    return judge([
      ...Object.entries(expected).map(([part, tensor]) =>
        comparisonOf(prefix + part, trees[part as keyof typeof trees], tensor, EXACT),
      ),
      {
        tensor: `${prefix}edge_weights`,
        // Logarithms of numbers beyond float32, so that a single one does not hide all others.
        given: Float64Array.from(ownWeights.values, relative ? Math.log : Number),
        shape: ownWeights.shape,
        expected: Float64Array.from(weights.values, relative ? Math.log : Number),
        expectedShape: weights.shape,
        bound: {
          absolute: 0,
          relative,
          reason: 'weights on a lattice are exact, their exponentials nearly',
        },
      },
    ]);
  });
}
