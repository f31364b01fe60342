/** DepthwiseConvolution on WebAssembly. */
import { backend_util } from '@tensorflow/tfjs-core';
import { DepthwiseConvolution } from '../plugin/ops/depthwise_convolution.js';
import { writeWindow } from './convolution_window.js';
import { registerWasmKernel } from './kernels.js';
import { ACTIVATIONS } from './matrix_product.js';
import { partsOf } from './threads.js';

type Shape4D = [number, number, number, number];

/** Approximate time per value: for each element of the filter, and for the activation. */
const NANOSECONDS = { element: 0.05, activation: 1 };

registerWasmKernel(DepthwiseConvolution, (args) => {
  const { inputs, outputs, shapes, attributes, inParts } = args;
  const sizes = [[...shapes.x], [...shapes.filter]] as [Shape4D, Shape4D];
  const info = backend_util.computeConv2DInfo(...sizes, 1, 1, 'same', 'floor', true);
  const { batchSize, outHeight, outWidth, outChannels, filterHeight, filterWidth } = info;
  const window = writeWindow(args, info);
  const nanoseconds = filterHeight * filterWidth * NANOSECONDS.element + NANOSECONDS.activation;
  const parts = partsOf(batchSize * outHeight, outWidth * outChannels * nanoseconds);
  inParts('depthwise_convolution', parts, (first, count) => [
    ...([inputs.x, inputs.filter, outputs.y, window] as const),
    ...([first, count, ACTIVATIONS[attributes.activation]] as const),
  ]);
});
