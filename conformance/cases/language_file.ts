/**
 * Op files of the language model: candidate edges over tokens in reversed order, their weights, the tree, its `root` scan and
 * gradients, and the chain that is added to it.
 */

import { treeScanBound } from '../../plugin/ops/spec/bound.js';
import { type BatchOfTrees, batchOfTrees, treeOfParentIds } from '../../plugin/ops/spec/rooted_tree.js';
import { formulaArguments } from '../../plugin/ops/spec/spec.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { treeScanSpec } from '../../plugin/ops/tree_scan.spec.js';
import { windowGraphSpec } from '../../plugin/ops/window_graph.spec.js';
import { type CaseTensor, type ConformanceCase, float64, int32, type OpCase } from '../case.js';
import { largest } from '../measure.js';
import { outputsCase } from '../spec_cases.js';
import { type CaseFile, channelsLast } from './case_file.js';
import { edgeWeightsCase } from './edge_weights_file.js';
import { featuresToTreeCase } from './features_to_tree.js';
import { contextLength, isMixer, mixerCases } from './language_mixer.js';
import { mstCase } from './mst_file.js';
import { contradiction, pairsOf, sameEdges, treesOfParentIds } from './tree_cases.js';
import { checkScan, isRounded, type Stored, treeScanCases } from './tree_scan_file.js';

/** Weight of the tree relative to the chain. */
const TREE_SHARE = 0.3;

export function isLanguageFile(file: CaseFile): boolean {
  return file.has('feature_in', 'weight', 'tree_parent');
}

export function languageFileCases(file: CaseFile): ConformanceCase[] {
  const [x, decay] = ['feature_in', 'weight'].map((name) => channelsLast(file.input(name, 3)));
  const dy = file.has('grad_tree_out') ? channelsLast(file.input('grad_tree_out', 3)) : undefined;
  const [batch, numVertices] = x.shape;
  const trees = treesOfParentIds(file.ints('tree_parent', 2));
  checkScan(file.path, { feature_in: x, weight: decay, ...(dy && { grad_tree_out: dy }) }, trees);
  const stored = (of: string, name: string): Stored[] =>
    [name, `${name}_f64`]
      .filter((each) => file.has(each))
      .map((from) => ({
        of,
        from,
        tensor: channelsLast(file.tensor(from, 3)),
        exact: from.endsWith('_f64'),
      }));
  const cases: ConformanceCase[] = treeScanCases({
    name: file.name,
    x,
    decay,
    trees,
    aggregate: 'root',
    stored: stored('y', 'tree_out'),
    dy,
    storedGradients: [...stored('x', 'grad_feature_in'), ...stored('decay', 'grad_weight')],
    roundedInputs: isRounded(file, 'feature_in', 'weight', 'grad_tree_out'),
    problem: rearrangementProblem(file) ?? treeProblem(),
  });
  if (file.has('mix_out')) {
    const path = treeOfParentIds(Array.from({ length: numVertices }, (_, v) => v - 1));
    const paths = batchOfTrees(Array.from({ length: batch }, () => path));
    const scan = ({ order, parent }: BatchOfTrees) =>
      treeScanSpec.formula(
        formulaArguments(treeScanSpec.op, { x, decay, order, parent }, { aggregate: 'root' }),
      ).y;
    const mixed = channelsLast(file.floats('mix_out')).values;
    const [tree, chain] = [scan(trees), scan(paths)];
    const expected = Array.from(chain, (value, i) => value + TREE_SHARE * tree[i]);
    cases.push(
      ...treeScanCases({
        name: `${file.name} chain`,
        x,
        decay,
        trees: paths,
        aggregate: 'root',
        stored: [{ of: 'y', from: 'mix_out less the tree', tensor: float64(x.shape, chain), exact: false }],
        problem: contradiction('mix_out', mixed, expected, {
          relative: 0,
          // Rounding of the chain, and of the tree, which is no deeper.
          absolute: 2 * treeScanBound(numVertices - 1, 'float32').relative * largest(expected),
        }),
      }),
    );
  }
  if (file.has('pairs', 'tree_weight', 'mst_edge_index')) cases.push(...graphCases());
  if (isMixer(file)) cases.push(...mixerCases(file));
  return cases;

  function graphCases(): ConformanceCase[] {
    const [edges, weights] = [file.ints('pairs', 2), file.floats('tree_weight', 2)];
    const index = file.ints('mst_edge_index');
    const treeEdges = file.has('mst_edges') ? file.ints('mst_edges', 3) : undefined;
    const logOf: (stored: number) => number = Math.log;
    return [
      windowCase(file.name, edges, numVertices, contextLength(file)),
      edgeWeightsCase({
        name: file.name,
        features: x,
        edges,
        metric: 'cosine',
        stored: [{ from: 'tree_weight', values: weights, of: Math.exp, inverse: logOf }],
      }),
      mstCase({
        name: file.name,
        weights,
        edges,
        numVertices,
        chosen: [{ from: 'mst_edge_index', index }],
        treeEdges,
      }),
      ...(treeEdges ? [featuresToTreeCase(file.name, x, edges, treeEdges)] : []),
    ];
  }

  function treeProblem(): string | undefined {
    if (!file.has('mst_edges')) return undefined;
    const edges = itemsOf(file.ints('mst_edges', 3));
    return edges.length === trees.trees.length &&
      trees.trees.every((tree, b) => sameEdges(pairsOf(tree), edges[b]))
      ? undefined
      : 'the file contradicts itself: mst_edges and tree_parent are different trees';
  }
}

/** The edges in a file must be those of a text of this length. */
export function windowCase(name: string, edges: CaseTensor, length: number, promptLength: number): OpCase {
  const tokens = int32([1, length], new Int32Array(length));
  const testCase = outputsCase(windowGraphSpec, {
    name,
    inputs: { tokens, prompt: int32([], [promptLength]) },
    attributes: { promptLength },
  });
  return {
    ...testCase,
    references: [...testCase.references, { of: 'edges', from: 'pairs', tensor: edges }],
  };
}

/** `discrete_A` and `deltaB_u` [B, D, L, N] are `weight` and `feature_in` in token order. */
function rearrangementProblem(file: CaseFile): string | undefined {
  for (const [name, by, shift] of [
    ['deltaB_u', 'feature_in', 1],
    ['discrete_A', 'weight', 0],
  ] as const) {
    if (!file.has(name)) continue;
    const source = file.tensor(name);
    const [batch, channels, length, states] = source.shape;
    const expected: CaseTensor = file.tensor(by);
    for (let i = 0; i < source.values.length; i++) {
      const n = i % states;
      const t = Math.floor(i / states) % length;
      const row = Math.floor(i / states / length); // b * D + d
      // Vertex j is token L-1-j; its decay is that of the next token, and the root's wraps around.
      const vertex = (2 * length - shift - t) % length;
      if (source.values[i] !== expected.values[(row * states + n) * length + vertex]) {
        return `the file contradicts itself: ${name}[${i}] is not in ${by}`;
      }
    }
    if (batch * channels * states * length !== expected.values.length) return `${name} does not fit ${by}`;
  }
  return undefined;
}
