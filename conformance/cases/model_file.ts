/** Files of expected values of whole models: finds the checkpoint, and makes the cases of each input in the file. */
import type { CaseTensor, ConformanceCase } from '../case.js';
import { stem } from '../source.js';
import type { CaseFile } from './case_file.js';
import type { CaseFolder } from './case_folder.js';
import { crossEntropy } from './cross_entropy.js';
import { digitCases } from './model_digits.js';
import { modelGradientCase } from './model_gradients.js';
import { blockTrees, imageOf, normalizedDigits, normalizedImage } from './model_inputs.js';
import { ownTreesCase, pinnedTreesCase } from './model_trees.js';
import { CheckpointUnderTest } from './model_under_test.js';
import { contradiction } from './tree_cases.js';

export function isModelFile(file: CaseFile): boolean {
  return file.names.some((name) => /^logits[._]/.test(name)) || file.has('images_u8', 'labels', 'loss');
}

export function modelFileCases(file: CaseFile, folder: CaseFolder): ConformanceCase[] {
  const checkpoints = checkpointsOf(file, folder);
  if (checkpoints.length === 0) {
    return [
      {
        kind: 'skipped',
        name: file.name,
        op: 'GrootV',
        reason: `the checkpoint of ${file.path} is not there: ${file.metadata.get('weights') ?? 'it names none'}`,
      },
    ];
  }
  return checkpoints.flatMap((path, i) => {
    folder.use(path);
    // Several checkpoints may share a file: they hold the same weights in other containers.
    const name = checkpoints.length > 1 ? `${file.name} of ${stem(path)}` : file.name;
    const open = (weights?: 'model' | 'model_ema') => new CheckpointUnderTest(folder.source, path, weights);
    if (file.has('logits_model')) return digitCases(file, name, open);
    if (file.has('loss')) return [lossCase(file, name, open('model'))];
    const checkpoint = open();
    return file.names
      .filter((tensor) => tensor.startsWith('logits.'))
      .flatMap((tensor) => inputCases(file, name, tensor.slice('logits.'.length), checkpoint, i === 0));
  });
}

/** Checkpoints that the metadata name, or the one of the same name; beside the file. */
function checkpointsOf(file: CaseFile, { paths }: CaseFolder): string[] {
  const directory = file.path.slice(0, file.path.lastIndexOf('/') + 1);
  const named = [...file.metadata.values()].flatMap((text) => text.match(/[\w.-]+\.(?:pth|pt|bin)\b/g) ?? []);
  const sibling = file.name.replace(/_(expected|gradients)$/, '');
  const wanted = named.length > 0 ? named : ['pth', 'pt', 'bin'].map((ending) => `${sibling}.${ending}`);
  return [...new Set(wanted)].map((name) => directory + name).filter((path) => paths.includes(path));
}

/** The cases of one input of the file: `input.<key>`, `logits.<key>`, `trees.<key>.*` and what else there is. */
function inputCases(
  file: CaseFile,
  name: string,
  key: string,
  checkpoint: CheckpointUnderTest,
  withGradients: boolean,
): ConformanceCase[] {
  const input = imageOf(file, `input.${key}`);
  const logits = file.floats(`logits.${key}`);
  const trees = blockTrees(file, `trees.${key}.`);
  const levels = file.names.filter((tensor) => tensor.startsWith(`seq_out.${key}.`));
  const more: [string, CaseTensor][] = levels.map((tensor) => [
    `features_${tensor.slice(tensor.lastIndexOf('.') + 1)}`,
    file.floats(tensor),
  ]);
  if (file.has(`pooled.${key}`)) more.push(['pooled', file.floats(`pooled.${key}`)]);
  const rgb = file.has(`rgb.${key}`) ? file.tensor(`rgb.${key}`) : undefined;
  const problem =
    rgb &&
    contradiction(`input.${key}`, input.values, normalizedImage(rgb).values, {
      relative: 1e-5,
      absolute: 1e-5,
    });
  const common = { name: `${name} ${key}`, checkpoint, input, logits, problem };
  const cases: ConformanceCase[] = [];
  if (trees.trees.length > 0) cases.push(pinnedTreesCase({ ...common, trees, more }));
  cases.push(ownTreesCase({ ...common, trees }));
  if (rgb) cases.push(ownTreesCase({ ...common, name: `${common.name} rgb`, trees, image: rgb }));
  if (withGradients && file.has(`grad_output.${key}`) && trees.trees.length > 0) {
    cases.push(
      modelGradientCase({
        name: common.name,
        checkpoint,
        input,
        trees: trees.trees,
        upstream: () => file.floats(`grad_output.${key}`),
        inputGradient: file.has(`grad_input.${key}`) ? imageOf(file, `grad_input.${key}`) : undefined,
        parameters: parameterGradients(file),
      }),
    );
  }
  return cases;
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
    input: normalizedDigits(file.tensor('images_u8')),
    trees: blockTrees(file, 'trees.').trees,
    loss: file.floats('loss').values[0],
    upstream: (logits) => crossEntropy(logits, labels).gradient,
    lossOf: (logits) => crossEntropy(logits, labels).loss,
    parameters: parameterGradients(file),
  });
}
