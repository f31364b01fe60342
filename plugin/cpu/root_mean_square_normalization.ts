/** RootMeanSquareNormalization in plain TypeScript. */
import { registerHostKernel } from '../ops/kernels.js';
import { RootMeanSquareNormalization } from '../ops/root_mean_square_normalization.js';

registerHostKernel(RootMeanSquareNormalization, ({ inputs, outputs, attributes }) => {
  const { x, gamma } = inputs;
  const channels = gamma.length;
  for (let row = 0; row < x.length; row += channels) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += x[row + c] * x[row + c];
    const scale = 1 / Math.sqrt(squares / channels + attributes.epsilon);
    for (let c = 0; c < channels; c++) outputs.y[row + c] = x[row + c] * scale * gamma[c];
  }
});
