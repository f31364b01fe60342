/** Evaluates a classifier on examples. */
import { argMax, cast, dispose, equal, sum, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { GrootV } from '../models/grootv.js';
import { nextTask } from '../next_task.js';
import type { Batch } from './data/batches.js';
import { crossEntropy } from './losses.js';

export interface Evaluation {
  readonly examples: number;
  /** Fraction of examples whose label is the most probable class. */
  readonly accuracy: number;
  /** Mean cross-entropy, without label smoothing. */
  readonly loss: number;
}

/**
 * Evaluates in inference mode.
 * @param batches are consumed and disposed
 * @throws the signal's reason if it is aborted, between two batches.
 */
export async function evaluateClassifier(
  model: Pick<GrootV, 'logits'>,
  batches: AsyncIterable<Batch>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Evaluation> {
  const sums = { examples: 0, right: 0, loss: 0 };
  for await (const { images, labels } of batches) {
    try {
      signal?.throwIfAborted();
      const results = tidy(() => {
        const classes = tensor1d(labels, 'int32');
        const logits = model.logits(images);
        const right = sum(cast(equal(argMax(logits, -1), classes), 'int32'));
        return [right, crossEntropy(logits, classes)];
      });
      const [right, loss] = await Promise.all(results.map(async (result) => (await result.data())[0]));
      dispose(results);
      sums.examples += labels.length;
      sums.right += right;
      sums.loss += loss * labels.length;
    } finally {
      images.dispose();
    }
    await nextTask();
  }
  if (sums.examples === 0) throw new Error('evaluateClassifier: no examples');
  return { examples: sums.examples, accuracy: sums.right / sums.examples, loss: sums.loss / sums.examples };
}
