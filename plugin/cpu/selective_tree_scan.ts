/**
 * SelectiveTreeScan in plain TypeScript: processes one state of one channel at a time, so that the scratch memory is a row
 * of L decays and one of L sums.
 */
import { registerHostKernel } from '../ops/kernels.js';
import { SelectiveTreeScan } from '../ops/selective_tree_scan.js';

registerHostKernel(SelectiveTreeScan, ({ inputs, outputs, shapes, attributes }) => {
  const { step, deltaU, logA, inputGate, outputGate, order, parent } = inputs;
  const { y, nextState } = outputs;
  const [batch, length, channels] = shapes.step;
  const [, states] = shapes.logA;
  const { treeWeight } = attributes;
  const decay = new Float32Array(length);
  const input = new Float32Array(length);
  const sums = new Float32Array(length);
  for (let b = 0; b < batch; b++) {
    const { tokens, parents } = leavesFirst(
      order.subarray(b * length, (b + 1) * length),
      parent.subarray(b * length, (b + 1) * length),
    );
    for (let d = 0; d < channels; d++) {
      for (let n = 0; n < states; n++) {
        const rate = -Math.exp(logA[d * states + n]);
        for (let t = 0; t < length; t++) {
          const token = b * length + t;
          decay[t] = Math.exp(rate * step[token * channels + d]);
          input[t] = deltaU[token * channels + d] * inputGate[token * states + n];
        }
        sums.set(input);
        for (let i = 0; i + 1 < length; i++) {
          // The decay of an edge is that of the token right after the child, whichever token the parent is.
          sums[parents[i]] += decay[tokens[i] + 1] * sums[tokens[i]];
        }
        let h = 0;
        for (let t = 0; t < length; t++) {
          h = decay[t] * h + input[t];
          const token = b * length + t;
          y[token * channels + d] += (h + treeWeight * sums[t]) * outputGate[token * states + n];
        }
        nextState[(b * channels + d) * states + n] = h + treeWeight * sums[length - 1];
      }
    }
  }
});

/** Returns every token except the last, which is the root, with children before their parents, and the parent of each. */
function leavesFirst(
  order: ArrayLike<number>,
  parent: ArrayLike<number>,
): { tokens: Int32Array; parents: Int32Array } {
  const last = order.length - 1;
  const tokenAt = (position: number) => last - order[position];
  return {
    tokens: Int32Array.from({ length: last }, (_, i) => tokenAt(last - i)),
    parents: Int32Array.from({ length: last }, (_, i) => tokenAt(parent[last - i])),
  };
}
