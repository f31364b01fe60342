/**
 * Expected values of GG-SSM's models over time: the eye tracker (`coords` of frames) and the forecasting model. Their trees are
 * those of blocks over images, and of the sequence.
 */
import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { windowPairs } from '../../plugin/ops/window_graph.spec.js';
import { flippedTreesBound, layerBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  type ProgramCase,
  programCase,
  skippedCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { combine, comparison, comparisonOf, fail, judge, judgeTree } from '../verdict.js';
import { type CaseFile, channelsLast, LayoutError, reshaped } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { indicesOf, minimalTree } from './features_to_tree.js';
import type { Feeds } from './graph_under_test.js';
import { checkpointsOf } from './model_file.js';
import { blockTrees } from './model_inputs.js';
import { exactWeights } from './model_trees.js';
import { CheckpointUnderTest, type ModelUnderTest } from './model_under_test.js';
import { pairsOf, treesOfParentIds } from './tree_cases.js';

/** The trees of one block or mixer. */
interface Trees {
  /** Prefix of `/order`, `/parent` and `/edge_weights`. */
  readonly node: string;
  /** For trees over images: index of the block in the network. */
  readonly block?: number;
  readonly trees: BatchOfTrees;
  edges(model: ModelUnderTest): Int32Array;
  /** exp(-cosine) of every edge, for the first items of the batch or for all. */
  readonly weights?: CaseTensor;
}

interface SequenceSource {
  readonly name: string;
  readonly op: string;
  readonly checkpoint: CheckpointUnderTest;
  readonly feeds: Feeds;
  /** The output first. */
  readonly expected: readonly (readonly [node: string, value: CaseTensor])[];
  readonly trees: readonly Trees[];
}

const SERIES_TREES = /^trees\.[^.]+\.encoder\.layers\.(\d+)\.mixer\.parent$/;

export function isSequenceModelFile(file: CaseFile): boolean {
  if (file.has('coords', 'input')) return true;
  return file.has('input', 'output') && file.names.some((name) => SERIES_TREES.test(name));
}

export function sequenceModelFileCases(file: CaseFile, folder: CaseFolder): ConformanceCase[] {
  const op = file.has('coords') ? 'GG-SSM eye tracker' : 'GG-SSM forecaster';
  const paths = checkpointsOf(file, folder);
  if (paths.length === 0) {
    return [skippedCase(file.name, op, `the checkpoint of ${file.path} is not there`)];
  }
  return paths.flatMap((path) => {
    folder.use(path);
    const checkpoint = new CheckpointUnderTest(folder.source, path);
    const parts = file.has('coords') ? eyeTracker(file) : forecaster(file);
    const source = { name: file.name, op, checkpoint, ...parts };
    return [pinnedCase(source), ownTreesCase(source)];
  });
}

type Parts = Pick<SequenceSource, 'feeds' | 'expected' | 'trees'>;

function eyeTracker(file: CaseFile): Parts {
  const input = file.input('input', 5);
  const [batch, length, channels, height, width] = input.shape;
  const images = channelsLast(reshaped(input, [batch * length, channels, height, width]));
  const frames = reshaped(images, [batch, length, height, width, channels]);
  const blocks = blockTrees(file, 'trees.spatial.');
  const levels = file.names.flatMap((name) => /^trees\.spatial\.levels\.(\d+)\./.exec(name)?.[1] ?? []);
  const maps = `features_${Math.max(0, ...levels.map(Number))}`;
  const expected = [
    ['coords', file.floats('coords', 3)],
    ['temporal_out', optional(file, 'temporal_out', 3)],
    ['sequence_in', optional(file, 'sequence_in', 3)],
    [maps, file.has('spatial_features') ? channelsLast(file.floats('spatial_features', 4)) : undefined],
  ] as const;
  return {
    feeds: { frames },
    expected: expected.flatMap(([node, value]) => (value ? [[node, value] as const] : [])),
    trees: [
      ...blocks.trees.map((trees, i) => ({
        node: `blocks_${i}`,
        block: i,
        trees,
        edges: (model: ModelUnderTest) => model.edgesOf(i, images.shape),
        weights: blocks.edgeWeights[i],
      })),
      ...sequenceTrees(file, 'temporal', 'trees.sequence.temporal_ssm.parent', length),
    ],
  };
}

function forecaster(file: CaseFile): Parts {
  const series = file.input('input', 3);
  const names = file.names.filter((name) => SERIES_TREES.test(name));
  return {
    feeds: { series },
    expected: [['forecast', file.floats('output', 3)]],
    trees: names.flatMap((name) => {
      const [, layer] = SERIES_TREES.exec(name) as RegExpExecArray;
      return sequenceTrees(file, `layers_${layer}`, name, file.ints(name, 2).shape[1]);
    }),
  };
}

function optional(file: CaseFile, name: string, rank: number): CaseTensor | undefined {
  return file.has(name) ? file.floats(name, rank) : undefined;
}

/** Trees of a sequence whose prompt is the whole sequence. */
function sequenceTrees(file: CaseFile, node: string, name: string, length: number): Trees[] {
  if (!file.has(name)) throw new LayoutError(`${file.path} has no tensor ${name}`);
  const weights = name.replace(/parent$/, 'edge_weights');
  const trees = treesOfParentIds(file.ints(name, 2));
  const edges = () => Int32Array.from(windowPairs(length, length));
  return [{ node, trees, edges, weights: optional(file, weights, 2) }];
}

/** Everything that only rounding may change. */
function pinnedCase({ name, op, checkpoint, feeds, expected, trees }: SequenceSource): ProgramCase {
  return programCase(name, `${op}, trees pinned`, ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const pinned = Object.fromEntries(
        trees.flatMap(({ node, trees: { order, parent } }) => [
          [`${node}/order`, order],
          [`${node}/parent`, parent],
        ]),
      );
      const weighed = trees.filter(({ weights }) => weights !== undefined);
      const nodes = [...expected.map(([node]) => node), ...weighed.map(({ node }) => `${node}/edge_weights`)];
      const results = await model.run({ ...feeds, ...pinned }, nodes);
      const bound = layerBound(tolerance);
      const comparisons = expected.map(([node, value]) =>
        comparisonOf(node, results.get(node) as CaseTensor, value, bound),
      );
      for (const { node, weights } of weighed) {
        const stored = (weights as CaseTensor).values;
        const given = results.get(`${node}/edge_weights`) as CaseTensor;
        comparisons.push(
          comparison(
            `${node}/edge_weights`,
            given.values.subarray(0, stored.length),
            Float64Array.from(stored, Math.log),
            bound,
          ),
        );
      }
      return judge(comparisons);
    }),
  );
}

/** Trees must be the minimum of the model's own weights, and equal to the reference's except for near ties. */
function ownTreesCase({ name, op, checkpoint, feeds, expected, trees }: SequenceSource): ProgramCase {
  return programCase(name, `${op}, own trees`, ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const spots = trees.flatMap(({ node, block }) =>
        ['edge_weights', 'order', 'parent', ...(block === undefined ? [] : ['x'])].map(
          (part) => `${node}/${part}`,
        ),
      );
      const nodes = [...expected.map(([node]) => node), ...spots.filter((node) => model.has(node))];
      const results = await model.run(feeds, nodes);
      const result = (node: string) => results.get(node) as CaseTensor;
      const judged = trees.flatMap((each) => treesOf(model, each, result));
      const flip = judged.find(({ verdict }) => verdict === 'fail') ?? judged.find(isFlip);
      if (flip?.verdict === 'fail') return flip;
      const bound = flip ? flippedTreesBound(model.channels) : layerBound(tolerance);
      const values = expected.map(([node, value]) => comparisonOf(node, result(node), value, bound));
      if (!flip) return judge(values);
      // A flip changes single pixels of a map by any amount: only the output, which depends on all of them, is compared.
      const judgement = judge(values.slice(0, 1));
      return judgement.verdict === 'fail' ? judgement : combine([judgement, flip]);
    }),
  );
}

const isFlip = ({ verdict }: Judgement) => verdict === 'tie-flip';

/** The model's own trees for one block or mixer, item by item. */
function treesOf(
  model: ModelUnderTest,
  { node, block, trees: { trees }, edges: edgesOf }: Trees,
  result: (node: string) => CaseTensor,
): Judgement[] {
  const edges = edgesOf(model);
  const [weights, orders, parents] = ['edge_weights', 'order', 'parent'].map((part) =>
    itemsOf(result(`${node}/${part}`)),
  );
  const exact = block === undefined ? weights : exactWeights(model, block, result, edges);
  return trees.map((reference, b) => {
    const what = `${node}, item ${b}`;
    const own = minimalTree(orders[b], parents[b], weights[b], edges);
    if (!own) return fail(`${what}: its tree is not the minimum of its weights`);
    const expected = indicesOf(pairsOf(reference), edges);
    return judgeTree(own, expected, exact[b], edges, reference.order.length, what);
  });
}
