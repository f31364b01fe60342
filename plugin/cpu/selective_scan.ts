/** SelectiveScan in plain TypeScript: one channel at a time, its N states in registers. */
import { registerHostKernel } from '../ops/kernels.js';
import { SelectiveScan } from '../ops/selective_scan.js';

registerHostKernel(SelectiveScan, ({ inputs, outputs, shapes, attributes }) => {
  const { step, deltaU, logA, inputGate, outputGate, state } = inputs;
  const { y, nextState } = outputs;
  const [batch, length, channels] = shapes.step;
  const [, states] = shapes.logA;
  const { inputScale } = attributes;
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let n = 0; n < states; n++) {
        const rate = -Math.exp(logA[d * states + n]);
        const at = (b * channels + d) * states + n;
        let h = state ? state[at] : 0;
        for (let t = 0; t < length; t++) {
          const token = b * length + t;
          const here = token * channels + d;
          h = Math.exp(rate * step[here]) * h + inputScale * deltaU[here] * inputGate[token * states + n];
          y[here] += h * outputGate[token * states + n];
        }
        nextState[at] = h;
      }
    }
  }
});
