/** What a language model learns from: the tokens of answers. */
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
 * The inputs of a language model's graph for a text, which goes through it alone. The prompt, whose tokens have a tree, is
 * as long as there are labels that are not learnt. The caller disposes of them.
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
 * The mean cross entropy of the tokens that are learnt, each from the logits at the token before it.
 * @param logits [1, L, vocabulary] float32
 * @param labels L token ids; those below 0 are not learnt
 * @throws {Error} when none is learnt
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

/** Where labels are learnt, from a token to the one behind the last; the first token of all cannot be. */
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
