/** LayerNormalization in plain TypeScript; mean and variance are summed in float64. */
import { registerHostKernel } from '../ops/kernels.js';
import { LayerNormalization } from '../ops/layer_normalization.js';

registerHostKernel(LayerNormalization, ({ inputs, outputs, shapes, attributes }) => {
  const { x, gamma, beta } = inputs;
  const { y } = outputs;
  const channels = shapes.gamma[0];
  for (let row = 0; row < x.length; row += channels) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += x[row + c];
    mean /= channels;
    let variance = 0;
    for (let c = 0; c < channels; c++) variance += (x[row + c] - mean) ** 2;
    variance /= channels;
    const inverseDeviation = 1 / Math.sqrt(variance + attributes.epsilon);
    for (let c = 0; c < channels; c++)
      y[row + c] = (x[row + c] - mean) * inverseDeviation * gamma[c] + beta[c];
  }
});
