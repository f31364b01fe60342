/** CausalConvolution on WebAssembly. */
import { CausalConvolution } from '../plugin/ops/causal_convolution.js';
import { registerWasmKernel } from './kernels.js';

/** Of causal_convolution.cc. */
export interface CausalConvolutionFunctions {
  causal_convolution(
    x: number,
    filter: number,
    bias: number,
    past: number,
    y: number,
    nextPast: number,
    batch: number,
    length: number,
    channels: number,
    taps: number,
  ): void;
}

registerWasmKernel<typeof CausalConvolution, CausalConvolutionFunctions>(
  CausalConvolution,
  ({ inputs: { x, filter, bias, past }, outputs: { y, nextPast }, shapes, functions }) => {
    const [batch, length, channels] = shapes.x;
    functions.causal_convolution(
      x,
      filter,
      bias,
      past,
      y,
      nextPast,
      batch,
      length,
      channels,
      shapes.filter[0],
    );
  },
);
