/** CausalConvolution in plain TypeScript. */
import { CausalConvolution } from '../ops/causal_convolution.js';
import { registerHostKernel } from '../ops/kernels.js';

registerHostKernel(CausalConvolution, ({ inputs, outputs, shapes }) => {
  const { x, filter, bias, past } = inputs;
  const { y, nextPast } = outputs;
  const [batch, length, channels] = shapes.x;
  const [kernelSize] = shapes.filter;
  for (let b = 0; b < batch; b++) {
    /** Returns the input of token t, which may precede x. */
    const inputAt = (t: number, d: number): number => {
      if (t >= 0) return x[(b * length + t) * channels + d];
      return past ? past[(b * (kernelSize - 1) + t + kernelSize - 1) * channels + d] : 0;
    };
    for (let t = 0; t < length; t++) {
      for (let d = 0; d < channels; d++) {
        let sum = bias[d];
        for (let k = 0; k < kernelSize; k++)
          sum += filter[k * channels + d] * inputAt(t - kernelSize + 1 + k, d);
        y[(b * length + t) * channels + d] = sum / (1 + Math.exp(-sum));
      }
    }
    for (let k = 0; k < kernelSize - 1; k++) {
      for (let d = 0; d < channels; d++) {
        nextPast[(b * (kernelSize - 1) + k) * channels + d] = inputAt(length - kernelSize + 1 + k, d);
      }
    }
  }
});
