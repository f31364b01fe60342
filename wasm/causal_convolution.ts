/** CausalConvolution on WebAssembly. */
import { CausalConvolution } from '../plugin/ops/causal_convolution.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(
  CausalConvolution,
  ({ inputs: { x, filter, bias, past }, outputs: { y, nextPast }, shapes, functions }) => {
    const [batch, length, channels] = shapes.x;
    functions.causal_convolution(
      ...([x, filter, bias, past, y, nextPast] as const),
      ...([batch, length, channels, shapes.filter[0]] as const),
    );
  },
);
