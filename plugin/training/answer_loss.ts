/** The loss of a language model on the tokens of answers. */
import {
  concat,
  type NamedTensorMap,
  reshape,
  type Scalar,
  scalar,
  slice,
  type Tensor,
  type Tensor2D,
  tensor1d,
  tensor2d,
} from '@tensorflow/tfjs-core';
import type { TextExample } from './instructions.js';
import { crossEntropy } from './losses.js';

/**
 * Builds the inputs of a language model's graph for a single text. The prompt, over whose tokens the tree is built, consists
 * of the leading tokens whose labels are ignored. The caller disposes of the inputs.
 */
export function textInputs({ ids, labels }: TextExample): NamedTensorMap {
  if (ids.length !== labels.length || ids.length < 2) {
    throw new Error(
      `textInputs: the text has ${ids.length} tokens and ${labels.length} labels, expected as many, and 2 at least`,
    );
  }
  const unlearnt = labels.filter((label) => label < 0).length;
  return {
    input_ids: tensor2d([...ids], [1, ids.length], 'int32'),
    prompt_length: scalar(unlearnt, 'int32'),
  };
}

/**
 * Computes the mean cross-entropy of the labelled tokens, each predicted by the logits at the token before it.
 * @param logits [1, L, vocabulary] float32
 * @param labels L token ids; those below 0 are ignored
 * @throws {Error} if all are ignored.
 */
export function answerLoss(logits: Tensor, labels: readonly number[]): Scalar {
  const [, length, vocabulary] = logits.shape;
  const runs = learntRuns(labels);
  if (labels.length !== length || runs.length === 0) {
    throw new Error(
      `answerLoss: ${labels.length} labels for ${length} tokens, expected as many, and one that is learnt behind the first`,
    );
  }
  const rows = reshape(logits, [length, vocabulary]) as Tensor2D;
  const picked = runs.map(([first, end]) => slice(rows, [first - 1, 0], [end - first, vocabulary]));
  const learnt = runs.flatMap(([first, end]) => labels.slice(first, end));
  return crossEntropy(picked.length === 1 ? picked[0] : concat(picked, 0), tensor1d(learnt, 'int32'));
}

/** Returns the ranges of labelled tokens, ends exclusive; the very first token cannot be predicted. */
function learntRuns(labels: readonly number[]): [first: number, end: number][] {
  const runs: [number, number][] = [];
  for (let at = 1; at < labels.length; at++) {
    if (labels[at] < 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = at + 1;
    else runs.push([at, at + 1]);
  }
  return runs;
}
