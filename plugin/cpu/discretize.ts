/** Discretize in plain TypeScript. */
import { Discretize } from '../ops/discretize.js';
import { registerHostKernel } from '../ops/kernels.js';

registerHostKernel(Discretize, ({ inputs, outputs, shapes }) => {
  const { dt, stepBias, logA, inputGate, x } = inputs;
  const { decay, input } = outputs;
  const [channels, states] = shapes.logA;
  const rows = shapes.x[0] * shapes.x[1];
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < channels; d++) {
      const at = row * channels + d;
      const step = softplus(dt[at] + stepBias[d]);
      for (let n = 0; n < states; n++) {
        decay[at * states + n] = Math.exp(-Math.exp(logA[d * states + n]) * step);
        input[at * states + n] = step * inputGate[row * states + n] * x[at];
      }
    }
  }
});

/** log(1 + exp(x)), without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
