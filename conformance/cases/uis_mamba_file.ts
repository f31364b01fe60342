/**
 * Expected values of UIS-Mamba's backbone: `outputs.<tag>.<level>` [N, C, h, w]; for every block
 * `trees.<tag>.levels.<i>.blocks.<j>.parent` and `.edge_weights` (exp of squared distances), `mask.<tag>.<block>` [N, cells], and
 * for some `deformed.<tag>.<block>` [N, V, D] and `coords.<tag>.<block>` [N, cells, 2]. The metadata give what the checkpoint
 * does not determine: `use_hsw`, `hsw_varphi`, `pool_size`.
 */
import type { UisMambaWeakening } from '../../plugin/models/uis_mamba_metadata.js';
import { edgeWeights } from '../../plugin/ops/edge_dissimilarity.spec.js';
import { EXACT } from '../../plugin/ops/spec/bound.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { deformedBound, flippedTreesBound } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, type ProgramCase, programCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { type Comparison, combine, comparison, fail, judge, judgeTree } from '../verdict.js';
import { type CaseFile, channelsLast, LayoutError } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { indicesOf, minimalTree } from './features_to_tree.js';
import { checkpointsOf } from './model_file.js';
import { type BlockTrees, blockTrees, imageOf } from './model_inputs.js';
import { judgeNorm } from './model_trees.js';
import { CheckpointUnderTest, type ModelUnderTest, treeFeeds } from './model_under_test.js';
import { pairsOf } from './tree_cases.js';

const OUTPUT = /^outputs\.(.+)\.(\d+)$/;

/** Above this, the exp of a distance is infinite; below the next, it is 1: such weights are equal. */
const LARGEST_LOGARITHM = 88.72;
const SMALLEST_LOGARITHM = 6e-8;

export function isUisMambaFile(file: CaseFile): boolean {
  return (
    file.names.some((name) => OUTPUT.test(name)) && file.names.some((name) => name.startsWith('deformed.'))
  );
}

export function uisMambaFileCases(file: CaseFile, folder: CaseFolder): ConformanceCase[] {
  const [path] = checkpointsOf(file, folder);
  if (path === undefined) throw new LayoutError(`${file.path}: its checkpoint is not there`);
  folder.use(path);
  const checkpoint = new CheckpointUnderTest(folder.source, path, { uisMamba: weakeningOf(file) });
  const tags = new Set(file.names.flatMap((name) => OUTPUT.exec(name)?.[1] ?? []));
  return [...tags].flatMap((tag) => {
    const input = `input.${tag}`;
    const source = {
      name: `${file.name} ${tag}`,
      checkpoint,
      image: imageOf(file.path, input, file.input(input)),
      trees: blockTrees(file, `trees.${tag}.`),
      values: expectedOf(file, tag),
    };
    if (source.trees.trees.length === 0) throw new LayoutError(`${file.path}: it has no trees of ${tag}`);
    return [pinnedTreesCase(source), ownTreesCase(source)];
  });
}

/** The settings in the metadata; the converter's defaults apply to the others. */
function weakeningOf(file: CaseFile): Partial<UisMambaWeakening> {
  const read = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const text = file.metadata.get(name);
    return text === undefined ? undefined : parse(text);
  };
  return {
    useHsw: read('use_hsw', (text) => text.toLowerCase() === 'true'),
    hswVarphi: read('hsw_varphi', Number),
    poolSize: read('pool_size', Number),
  };
}

/** A node's expected value, compared element by element in the same order; for outputs the shapes are compared as well. */
interface Expected {
  readonly node: string;
  readonly tensor: CaseTensor;
  readonly isOutput: boolean;
  readonly isExact: boolean;
}

function expectedOf(file: CaseFile, tag: string): Expected[] {
  const blocks = file.names
    .flatMap((name) => {
      const [, of, level, block] = /^trees\.(.+)\.levels\.(\d+)\.blocks\.(\d+)\.parent$/.exec(name) ?? [];
      return of === tag ? [[Number(level), Number(block)] as const] : [];
    })
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const nodes = { mask: 'mask', deformed: 'deformed', coords: 'coordinates' } as const;
  const ofBlocks = blocks.flatMap(([level, block], i) =>
    (['mask', 'deformed', 'coords'] as const).flatMap((part): Expected[] => {
      const name = `${part}.${tag}.levels.${level}.blocks.${block}`;
      if (!file.has(name)) return [];
      const tensor = file.floats(name);
      return [{ node: `blocks_${i}/${nodes[part]}`, tensor, isOutput: false, isExact: part === 'mask' }];
    }),
  );
  const outputs = file.names.flatMap((name): Expected[] => {
    const [, of, level] = OUTPUT.exec(name) ?? [];
    if (of !== tag) return [];
    const tensor = channelsLast(file.floats(name, 4));
    return [{ node: `features_${level}`, tensor, isOutput: true, isExact: false }];
  });
  return [...outputs, ...ofBlocks];
}

interface Source {
  readonly name: string;
  readonly checkpoint: CheckpointUnderTest;
  /** [N, H, W, 3], normalised. */
  readonly image: CaseTensor;
  readonly trees: BlockTrees;
  readonly values: readonly Expected[];
}

/** Everything that only rounding may change. */
function pinnedTreesCase({ name, checkpoint, image, trees, values }: Source): ProgramCase {
  return programCase(name, 'UIS-Mamba, trees pinned', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      model.checkTrees(trees.trees, image.shape);
      const bound = deformedBound(tolerance);
      const weights = trees.edgeWeights.map((_, i) => `blocks_${i}/edge_weights`);
      const nodes = [...values.map(({ node }) => node), ...weights];
      const results = await model.run({ normalized: image, ...treeFeeds(trees.trees) }, nodes);
      const ofWeights = trees.edgeWeights.flatMap((stored, i): Comparison[] => {
        if (!stored) return [];
        const given = logarithms((results.get(weights[i]) as CaseTensor).values);
        return [comparison(weights[i], given, logarithms(stored.values), bound)];
      });
      return judge([...comparisons(values, results, bound), ...ofWeights]);
    }),
  );
}

function comparisons(
  values: readonly Expected[],
  results: ReadonlyMap<string, CaseTensor>,
  bound: Comparison['bound'],
): Comparison[] {
  return values.map(({ node, tensor, isOutput, isExact }) => {
    const given = results.get(node) as CaseTensor;
    const shapes = isOutput ? { shape: given.shape, expectedShape: tensor.shape } : {};
    const allowed = isExact ? EXACT : bound;
    return { tensor: node, given: given.values, expected: tensor.values, bound: allowed, ...shapes };
  });
}

/** Logarithms of weights, as far as float32 weights distinguish them. */
function logarithms(weights: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight) => distinct(Math.log(weight)));
}

function distinct(distance: number): number {
  return distance < SMALLEST_LOGARITHM ? 0 : Math.min(distance, LARGEST_LOGARITHM);
}

/**
 * The model as users run it. Trees must be the minimum of its weights; a tree that differs from the reference's must be minimal
 * by float64 distances of the model's features, with near ties relative to the largest distance.
 */
function ownTreesCase({ name, checkpoint, image, trees, values }: Source): ProgramCase {
  return programCase(name, 'UIS-Mamba, own trees', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      model.checkTrees(trees.trees, image.shape);
      const parts = ['edge_weights', 'order', 'parent', 'deformed'];
      const blocks = trees.trees.flatMap((_, i) => parts.map((part) => `blocks_${i}/${part}`));
      const nodes = [...values.map(({ node }) => node), ...blocks];
      const results = await model.run({ normalized: image }, [...new Set(nodes)]);
      const judged = judgedTrees(model, image, trees, results);
      const wrong = judged.find(({ verdict }) => verdict === 'fail');
      if (wrong) return wrong;
      const flip = judged.find(({ verdict }) => verdict !== 'pass');
      if (!flip) return judge(comparisons(values, results, deformedBound(tolerance)));
      const outputs = comparisons(
        values.filter(({ isOutput }) => isOutput),
        results,
        flippedTreesBound(model.channels),
      );
      return combine([...judged, ...outputs.map(judgeNorm)]);
    }),
  );
}

/** For every block and image, up to the first flip of an image, after which the features differ. */
function judgedTrees(
  model: ModelUnderTest,
  image: CaseTensor,
  { trees }: BlockTrees,
  results: ReadonlyMap<string, CaseTensor>,
): Judgement[] {
  const flipped = new Set<number>();
  return trees.flatMap(({ trees: expected }, i) => {
    const edges = model.edgesOf(i, image.shape);
    const items = (part: string) => itemsOf(results.get(`blocks_${i}/${part}`) as CaseTensor);
    const [weights, orders, parents, features] = ['edge_weights', 'order', 'parent', 'deformed'].map(items);
    const channels = (results.get(`blocks_${i}/deformed`) as CaseTensor).shape[2];
    return expected.flatMap((tree, b): Judgement[] => {
      const numVertices = tree.order.length;
      const what = `block ${i}, image ${b}`;
      const own = minimalTree(orders[b], parents[b], weights[b], edges);
      if (!own) return [fail(`${what}: its tree is not the minimum of its weights`)];
      const reference = indicesOf(pairsOf(tree), edges);
      if (flipped.has(b) || own.join() === reference.join()) return [];
      flipped.add(b);
      const distances = Float64Array.from(edgeWeights(features[b], edges, channels, 'euclidean'), distinct);
      const largest = distances.reduce((most, each) => Math.max(most, each), 1);
      const scaled = distances.map((each) => each / largest);
      return [judgeTree(own, reference, scaled, edges, numVertices, what)];
    });
  });
}
