/** CausalConvolution in two draws: the outputs, and the inputs that the next call needs. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { CausalConvolution } from '../../plugin/ops/causal_convolution.js';
import { registerWebglKernel } from './kernels.js';
import { CausalConvolutionProgram, NextPastProgram } from './programs/causal_convolution_program.js';

registerWebglKernel(CausalConvolution, ({ inputs, outputs: [y, nextPast], draw }) => {
  const { x, filter, bias } = inputs;
  // With one tap the past is empty, and no texture is.
  const past: TensorInfo[] = inputs.past && filter.shape[0] > 1 ? [inputs.past] : [];
  const sizes = [x.shape[1], filter.shape[0]];
  return [
    draw(new CausalConvolutionProgram(y.shape, past.length > 0), [x, filter, bias, ...past], sizes),
    draw(new NextPastProgram(nextPast.shape, past.length > 0), [x, ...past], sizes),
  ];
});
