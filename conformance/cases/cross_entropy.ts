/** Losses for expected gradients. */
import { type CaseTensor, float32 } from '../case.js';

/**
 * Mean cross-entropy of softmax(logits) and its gradient with respect to the logits [.., K], in float64. Rows with a negative
 * label are ignored.
 */
export function crossEntropy(
  logits: CaseTensor,
  labels: ArrayLike<number>,
): { loss: number; gradient: CaseTensor } {
  const classes = logits.shape[logits.shape.length - 1];
  const gradient = float32(logits.shape, new Float32Array(logits.values.length));
  const counted = Array.from(labels).filter((label) => label >= 0).length;
  let loss = 0;
  for (let n = 0; n < labels.length; n++) {
    if (labels[n] < 0) continue;
    const row = Array.from(logits.values.subarray(n * classes, (n + 1) * classes));
    const top = Math.max(...row);
    const total = row.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
    loss += (Math.log(total) + top - row[labels[n]]) / counted;
    row.forEach((logit, k) => {
      gradient.values[n * classes + k] =
        (Math.exp(logit - top) / total - (k === labels[n] ? 1 : 0)) / counted;
    });
  }
  return { loss, gradient };
}
