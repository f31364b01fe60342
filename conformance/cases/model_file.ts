/** Files of expected values of whole models: finds the checkpoint, and creates the cases of each input in the file. */
import type { ConvertOptions } from '../../converters/convert.js';
import type { StemStride } from '../../plugin/models/grootv_metadata.js';
import { DISTINCT_TREES } from '../bounds.js';
import { type CaseTensor, type ConformanceCase, type SkippedCase, skippedCase } from '../case.js';
import { stem } from '../source.js';
import { type CaseFile, channelsLast, LayoutError, metadataOf } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { crossEntropy } from './cross_entropy.js';
import { digitCases } from './model_digits.js';
import { modelGradientCase } from './model_gradients.js';
import {
  type BlockTrees,
  blockTrees,
  hasInput,
  imageInput,
  imageOf,
  normalizedDigits,
  tagged,
} from './model_inputs.js';
import { type ExpectedNode, ownTreesCase, pinnedTreesCase } from './model_trees.js';
import { CheckpointUnderTest } from './model_under_test.js';
import { quantizedGrootVCase } from './quantized_model.js';

/** A value of the model, or of the same weights with a stem of another stride. */
interface Expected {
  readonly node: string;
  readonly tag: string;
  readonly stemStride?: StemStride;
}

/** The feature map of the last level. */
const LAST_LEVEL = 'features';

/**
 * The node and the input of a tensor: `logits.<tag>[.stride<n>]`, `pooled.<tag>`, `seq_out.<tag>.<level>` (channels-last),
 * `features.<tag>.<level>` or, for the last level, `features.<tag>` (channels-first). Files with a single input may omit the tag.
 */
function expectedNode(name: string): Expected | undefined {
  const [, whole, tag = '', stride] =
    /^(logits|pooled)(?:\.((?!stride[12]$).+?))?(?:\.stride([12]))?$/.exec(name) ?? [];
  if (whole) return { node: whole, tag, ...(stride && { stemStride: stride === '1' ? 1 : 2 }) };
  const [, levels, of = '', level] = /^(seq_out|features)(?:\.(.+))?\.(\d+)$/.exec(name) ?? [];
  if (levels) return { node: `features_${level}`, tag: of };
  const [, last] = /^features\.(.+)$/.exec(name) ?? [];
  return last === undefined ? undefined : { node: LAST_LEVEL, tag: last };
}

/** Inputs with expected values in a file, and the strides of the stem that these belong to. */
function inputsOf(file: CaseFile): Pick<Expected, 'tag' | 'stemStride'>[] {
  const usual = stemStrideOf(file);
  const found = new Map<string, Pick<Expected, 'tag' | 'stemStride'>>();
  for (const name of file.names) {
    const expected = expectedNode(name);
    if (expected === undefined || (expected.tag === '' && !hasInput(file, ''))) continue;
    const { tag, stemStride = usual } = expected;
    found.set(`${tag} ${stemStride}`, { tag, stemStride });
  }
  return [...found.values()];
}

/** The stride of the stem according to the metadata. */
function stemStrideOf(file: CaseFile): StemStride | undefined {
  const stride = Number(file.metadata.get('stem_stride'));
  return stride === 1 || stride === 2 ? stride : undefined;
}

export function isModelFile(file: CaseFile): boolean {
  return inputsOf(file).length > 0 || file.has('logits_model') || file.has('images_u8', 'labels', 'loss');
}

export function modelFileCases(file: CaseFile, folder: CaseFolder): ConformanceCase[] {
  const checkpoints = checkpointsOf(file, folder);
  if (checkpoints.length === 0) {
    const named = file.metadata.get('weights') ?? 'it names none';
    return [skipped(file.name, `the checkpoint of ${file.path} is not there: ${named}`)];
  }
  return checkpoints.flatMap((path, i) => {
    folder.use(path);
    // Several checkpoints may share a file: they hold the same weights in different containers.
    const name = checkpoints.length > 1 ? `${file.name} of ${stem(path)}` : file.name;
    const open = (options?: ConvertOptions) => new CheckpointUnderTest(folder.source, path, options);
    if (file.has('logits_model')) return digitCases(file, name, open);
    const converted = new Map<StemStride | undefined, CheckpointUnderTest>();
    const cases = inputsOf(file).flatMap((input, index) => {
      const { tag, stemStride } = input;
      const isOther = stemStride !== undefined && stemStride !== stemStrideOf(file);
      const label = [name, tag, isOther ? `stem stride ${stemStride}` : '']
        .filter((part) => part !== '')
        .join(' ');
      const checkpoint =
        converted.get(stemStride) ?? new CheckpointUnderTest(folder.source, path, { stemStride });
      converted.set(stemStride, checkpoint);
      try {
        const isFirst = i === 0 && index === 0;
        const int8 =
          isFirst && new CheckpointUnderTest(folder.source, path, { stemStride, quantize: 'int8' });
        return inputCases(file, label, input, checkpoint, i === 0, int8);
      } catch (error) {
        // The other inputs in the file may be valid.
        if (error instanceof LayoutError) return [skipped(label, error.message)];
        throw error;
      }
    });
    return cases.length > 0 ? cases : [lossCase(file, name, open({ weights: 'model' }))];
  });
}

function skipped(name: string, reason: string): SkippedCase {
  return skippedCase(name, 'GrootV', reason);
}

/** Checkpoints named in the metadata, or the one of the same name, in the same folder or else the only one of that name. */
export function checkpointsOf(file: CaseFile, { paths }: CaseFolder): string[] {
  const directory = file.path.slice(0, file.path.lastIndexOf('/') + 1);
  const named = [...file.metadata.values()].flatMap(
    (text) => text.match(/[\w.-]+\.(?:pth|pt|bin|ckpt|safetensors)\b/g) ?? [],
  );
  const sibling = file.name.replace(/_(expected|gradients)$/, '');
  const endings = ['pth', 'pt', 'bin', 'ckpt', 'safetensors'];
  const names = named.length > 0 ? named : endings.map((ending) => `${sibling}.${ending}`);
  return [...new Set(names)].flatMap((name) => {
    if (paths.includes(directory + name)) return directory + name === file.path ? [] : [directory + name];
    const elsewhere =
      named.length > 0 ? paths.filter((path) => path.endsWith(`/${name}`) || path === name) : [];
    return elsewhere.length === 1 ? elsewhere : [];
  });
}

/** Expected values for one input. @throws {LayoutError} */
function expectedOf(
  file: CaseFile,
  { tag, stemStride }: Pick<Expected, 'tag' | 'stemStride'>,
): ExpectedNode[] {
  const found: ExpectedNode[] = [];
  const usual = stemStrideOf(file);
  const levels = file.names.flatMap((name) => {
    const [, level] = expectedNode(name)?.node.split('features_') ?? [];
    return level === undefined ? [] : [Number(level)];
  });
  for (const name of file.names) {
    const expected = expectedNode(name);
    if (expected?.tag !== tag || (expected.stemStride ?? usual) !== stemStride) continue;
    if (expected.node === LAST_LEVEL && levels.length === 0) {
      throw new LayoutError(
        `${file.path}: ${name} is a map of the last level, and no seq_out.<tag>.<level> or features.<tag>.<level> tells which that is`,
      );
    }
    const node = expected.node === LAST_LEVEL ? `features_${Math.max(...levels)}` : expected.node;
    const isMap = node.startsWith('features_');
    if (!isMap && file.floats(name).shape.length !== 2) {
      throw new LayoutError(
        `${file.path}: ${name} has the shape [${file.floats(name).shape}], expected [N, classes]: there are no cases of dense prediction`,
      );
    }
    const tensor = file.floats(name, isMap ? 4 : 2);
    found.push([node, name.startsWith('features.') ? channelsLast(tensor) : tensor]);
  }
  // Logits first: the other values are their intermediates.
  return found.sort(([a], [b]) => Number(b === 'logits') - Number(a === 'logits'));
}

/**
 * The cases of one input of the file: expected values, `trees.<tag>.*`, and gradients.
 * @param int8 the checkpoint with 8-bit weights, for the input that is run with them
 * @throws {LayoutError}
 */
function inputCases(
  file: CaseFile,
  name: string,
  of: Pick<Expected, 'tag' | 'stemStride'>,
  checkpoint: CheckpointUnderTest,
  withGradients: boolean,
  int8: CheckpointUnderTest | false,
): ConformanceCase[] {
  const { tag, stemStride } = of;
  const expected = expectedOf(file, of);
  const { input, image, problem } = imageInput(file, tag);
  const isUsual = stemStride === stemStrideOf(file);
  // Trees belong to the stem that the metadata specify.
  const trees = isUsual ? blockTrees(file, `${tagged('trees', tag)}.`) : NO_TREES;
  const distinct = treeMargin(file, isUsual ? tag : `${tag}.stride${stemStride}`) > DISTINCT_TREES;
  const common = { name, checkpoint, input, expected, trees, problem, distinct };
  const cases: ConformanceCase[] = [];
  if (trees.trees.length > 0) cases.push(pinnedTreesCase(common));
  if (trees.trees.length > 0 && int8) cases.push(quantizedGrootVCase({ ...common, checkpoint: int8 }));
  cases.push(ownTreesCase(common));
  if (image) cases.push(ownTreesCase({ ...common, name: `${name} rgb`, image }));
  const [upstream, inputGradient] = [tagged('grad_output', tag), tagged('grad_input', tag)];
  if (withGradients && file.has(upstream) && trees.trees.length > 0) {
    const dy = file.input(upstream);
    const [of = 'logits'] = expected.find(([, { shape }]) => shape.join() === dy.shape.join()) ?? [];
    cases.push(
      modelGradientCase({
        name,
        checkpoint,
        input,
        trees: trees.trees,
        of,
        upstream: () => dy,
        inputGradient: file.has(inputGradient)
          ? imageOf(file.path, inputGradient, file.floats(inputGradient))
          : undefined,
        parameters: parameterGradients(file),
      }),
    );
  }
  return cases;
}

const NO_TREES: BlockTrees = { trees: [], edgeWeights: [] };

/** Distance of an input's trees from near ties according to the metadata: the minimum over all blocks. */
function treeMargin(file: CaseFile, tag: string): number {
  const { [tag]: margins } = metadataOf<Record<string, unknown>>(file, 'margins');
  if (typeof margins === 'number') return margins;
  const blocks = Object.values(margins ?? {}) as { margin?: number }[];
  return Math.min(
    ...blocks.map(({ margin = 0 }) => margin),
    blocks.length > 0 ? Number.POSITIVE_INFINITY : 0,
  );
}

/** Tensors `grad.<parameter>`. */
function parameterGradients(file: CaseFile): Map<string, CaseTensor> {
  const names = file.names.filter((name) => name.startsWith('grad.'));
  return new Map(names.map((name) => [name.slice('grad.'.length), file.floats(name)]));
}

/** Digits with labels: gradients of the mean cross-entropy. */
function lossCase(file: CaseFile, name: string, checkpoint: CheckpointUnderTest): ConformanceCase {
  const labels = file.ints('labels').values;
  return modelGradientCase({
    name,
    checkpoint,
    input: normalizedDigits(file.tensor('images_u8', 3)),
    trees: blockTrees(file, 'trees.').trees,
    of: 'logits',
    loss: file.floats('loss').values[0],
    upstream: (logits) => crossEntropy(logits, labels).gradient,
    lossOf: (logits) => crossEntropy(logits, labels).loss,
    parameters: parameterGradients(file),
  });
}
