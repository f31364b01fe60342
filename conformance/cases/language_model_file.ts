/** Expected values of whole language models: logits of texts, gradients of a loss, and merged adapters. */

import { windowPairs } from '../../plugin/ops/window_graph.spec.js';
import { languageGradientBound, languageModelBound, languageTreeTie, layerBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  int32,
  type ProgramCase,
  programCase,
  skippedCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { type Comparison, combine, comparison, fail, judge, show } from '../verdict.js';
import type { CaseFile } from './case_file.js';
import { type CaseFolder, inFolder, jsonBeside } from './case_folder.js';
import { crossEntropy } from './cross_entropy.js';
import { minimalTree } from './features_to_tree.js';
import { type Feeds, type GraphUnderTest, inConstantLayout } from './graph_under_test.js';
import {
  adapterBesideHead,
  adaptersAt,
  checkpointsAt,
  familyOf,
  hasAdapter,
  type LanguageCheckpoint,
  type Scan,
} from './language_checkpoint.js';
import { quantizedModelCase } from './quantized_model.js';

const LOGITS = /^(.+)\.(merged_|unmerged_|)(tree|chain)_logits$/;

export function isLanguageLogitsFile(file: CaseFile): boolean {
  return file.names.some((name) => LOGITS.test(name) && file.has(`${textOf(name)}.input_ids`));
}

const textOf = (name: string) => LOGITS.exec(name)?.[1] ?? '';

/** `<text>.input_ids` [L], `<text>.tree_logits` [L, vocabulary] etc.; a JSON file in the same folder has the prompt lengths. */
export async function languageLogitsCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const directory = inFolder(file.path, '');
  const texts = await textsBeside(file.path, folder);
  const cases: ConformanceCase[] = [];
  // Rounding changes trees with near ties; a chain has none.
  const chain = file.names.find((name) => /^[^.]+\.chain_logits$/.test(name));
  for (const name of file.names) {
    const [, text, adapted, scan] = LOGITS.exec(name) ?? [];
    if (!text) continue;
    const entry = texts.get(text);
    if (!entry) {
      cases.push(
        missing(`${file.name} ${text}`, `no JSON beside ${file.path} says the context_len of ${text}`),
      );
      continue;
    }
    try {
      for (const checkpoint of await modelsOf(adapted, directory, folder)) {
        const label = `${file.name} ${text}${adapted && ` ${adapted.slice(0, -1)}`} of ${checkpoint.name}`;
        cases.push(logitsCase(label, checkpoint, scan as Scan, file, text, name, entry));
      }
      if (name === chain) {
        const [checkpoint] = await modelsOf(adapted, directory, folder);
        const int8 = checkpoint.inInt8();
        cases.push(
          quantizedModelCase({
            name: `${file.name} ${text}`,
            family: familyOf('chain'),
            use: (body) => int8.useGraph('chain', body),
            feeds: textFeeds([file.ints(`${text}.input_ids`).values], entry.promptLength),
            outputs: [['logits', languageModelBound]],
          }),
        );
      }
    } catch (error) {
      cases.push(missing(`${file.name} ${name}`, (error as Error).message));
    }
  }
  return cases;
}

async function modelsOf(
  adapted: string,
  directory: string,
  folder: CaseFolder,
): Promise<LanguageCheckpoint[]> {
  if (adapted === 'merged_') return adaptersAt(directory, folder);
  if (adapted === 'unmerged_') return [await adapterBesideHead(directory, folder)];
  const found = await checkpointsAt(directory, folder);
  if (found.length === 0) throw new Error(`no Mamba model in ${directory || 'the folder'} or right below it`);
  return found;
}

function missing(name: string, reason: string): ConformanceCase {
  return skippedCase(name, 'GrootL logits', reason);
}

interface Text {
  readonly promptLength: number;
  /** Distance of the reference's trees from near ties, if the file records it. */
  readonly margin: number;
}

/** Entries with `name` and `context_len` in the JSON files of a folder: lists, or lists in an object. */
async function textsBeside(path: string, folder: CaseFolder): Promise<Map<string, Text>> {
  const texts = new Map<string, Text>();
  for (const json of await jsonBeside(folder, path)) {
    const lists = Array.isArray(json) ? [json] : Object.values(json as object).filter(Array.isArray);
    for (const entry of lists.flat()) {
      const { name, context_len, mst_min_margin_per_layer: margins = [] } = entry ?? {};
      if (typeof name !== 'string' || context_len === undefined) continue;
      texts.set(name, { promptLength: Math.min(...[context_len].flat()), margin: Math.min(...margins) });
    }
  }
  return texts;
}

function logitsCase(
  label: string,
  checkpoint: LanguageCheckpoint,
  scan: Scan,
  file: CaseFile,
  text: string,
  stored: string,
  { promptLength, margin }: Text,
): ProgramCase {
  const ids = file.ints(`${text}.input_ids`).values;
  const expected = file.floats(stored);
  return programCase(label, `${familyOf(scan)} logits`, ({ tolerance }) =>
    checkpoint.useGraph(scan, async (graph) => {
      const feeds = textFeeds([ids], promptLength);
      const layers = treeLayers(graph);
      const nodes = layers.flatMap((layer) => TREE_NODES.map((node) => `${layer}/${node}`));
      const results = await graph.run(feeds, ['logits', ...nodes]);
      const given = (results.get('logits') as CaseTensor).values;
      const bound = languageModelBound(tolerance);
      const logits = judge([comparison('logits', given, expected.values, bound)]);
      const trees = layers.map((layer) => judgeMinimal(layer, results, ids.length, promptLength));
      if (logits.verdict === 'fail' && scan === 'tree' && margin <= languageTreeTie(tolerance)) {
        const reason = `the reference's trees have a near tie within ${show(margin)}; ${logits.reason}`;
        return combine([{ ...logits, verdict: 'tie-flip', reason, margin }, ...trees]);
      }
      return combine([logits, ...trees]);
    }),
  );
}

/** Texts of equal length, from their token ids. */
export function textFeeds(texts: readonly ArrayLike<number>[], promptLength: number): Feeds {
  const length = texts[0].length;
  return {
    input_ids: int32(
      [texts.length, length],
      texts.flatMap((ids) => Array.from(ids)),
    ),
    prompt_length: int32([], [promptLength]),
  };
}

const TREE_NODES = ['edge_weights', 'order', 'parent'] as const;

/** The layers of a graph that have trees. */
function treeLayers(graph: GraphUnderTest): string[] {
  const layers: string[] = [];
  while (graph.has(`layers_${layers.length}/edge_weights`)) layers.push(`layers_${layers.length}`);
  return layers;
}

/** Checks that the tree of a layer is the minimum of the layer's own weights. */
function judgeMinimal(
  layer: string,
  results: ReadonlyMap<string, CaseTensor>,
  length: number,
  promptLength: number,
): Judgement {
  const [weights, order, parent] = TREE_NODES.map(
    (node) => (results.get(`${layer}/${node}`) as CaseTensor).values,
  );
  return minimalTree(order, parent, weights, windowPairs(length, promptLength))
    ? { verdict: 'pass', reason: '' }
    : fail(`the tree of ${layer} is not the minimum of its weights`);
}

export function isLanguageGradientFile(file: CaseFile): boolean {
  return file.has('input_ids', 'labels', 'loss') && file.names.some((name) => name.startsWith('grad.'));
}

/** One text with labels, negative in its prompt: gradients of the mean cross-entropy of next tokens. */
export async function languageGradientCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const [checkpoint] = await checkpointsAt(inFolder(file.path, ''), folder);
  const op = 'GrootL gradient';
  if (!checkpoint) {
    return [skippedCase(file.name, op, `no Mamba model beside ${file.path}`)];
  }
  const ids = file.ints('input_ids').values;
  const labels = Array.from(file.ints('labels').values);
  const promptLength = labels.filter((label) => label < 0).length;
  // The logits at a token predict the next token.
  const shifted = [...labels.slice(1), -1];
  const parameters = file.names
    .filter((name) => name.startsWith('grad.'))
    .map((name) => name.slice('grad.'.length));
  return [
    programCase(`${file.name} of ${checkpoint.name}`, op, ({ tolerance }) =>
      checkpoint.useGraph('tree', async (graph) => {
        const feeds = textFeeds([ids], promptLength);
        const logits = (await graph.run(feeds, ['logits'])).get('logits') as CaseTensor;
        const { loss, gradient } = crossEntropy(logits, shifted);
        const gradients = await graph.gradientsOf('logits', gradient, feeds, [], parameters);
        const comparisons: Comparison[] = parameters.map((parameter) => {
          const { values: given, shape } = gradients.get(parameter) as CaseTensor;
          const expected = inConstantLayout(parameter, file.floats(`grad.${parameter}`), shape);
          return comparison(parameter, given, expected, languageGradientBound(tolerance));
        });
        const expected = file.floats('loss').values;
        return judge([...comparisons, comparison('loss', [loss], expected, layerBound(tolerance))]);
      }),
    ),
  ];
}

/** Whether a file holds the parameters of a model after merging the adapter in its folder. */
export function isMergedFile(file: CaseFile, folder: CaseFolder): boolean {
  return (
    hasAdapter(inFolder(file.path, ''), folder) &&
    file.names.length > 0 &&
    file.names.every((name) => /^(backbone|lm_head)\./.test(name))
  );
}

export async function mergedCases(file: CaseFile, folder: CaseFolder): Promise<ConformanceCase[]> {
  const op = 'GrootL merged weights';
  let checkpoints: LanguageCheckpoint[];
  try {
    checkpoints = await adaptersAt(inFolder(file.path, ''), folder);
  } catch (error) {
    return [skippedCase(file.name, op, (error as Error).message)];
  }
  return checkpoints.map((checkpoint) =>
    programCase(`${file.name} of ${checkpoint.name}`, op, ({ tolerance }) =>
      checkpoint.useGraph('tree', async (graph) => {
        const comparisons: Comparison[] = [];
        for (const tensor of file.names) {
          const { values: given, shape } = await graph.weight(tensor);
          const expected = inConstantLayout(tensor, file.floats(tensor), shape);
          comparisons.push(comparison(tensor, given, expected, layerBound(tolerance)));
        }
        return judge(comparisons);
      }),
    ),
  );
}
