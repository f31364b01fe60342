/** Convolution and its gradients on WebAssembly. */
import { backend_util } from '@tensorflow/tfjs-core';
import {
  Convolution,
  type ConvolutionAttributes,
  ConvolutionFilterGradient,
  ConvolutionInputGradient,
  padOf,
} from '../plugin/ops/convolution.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import { isOfPixels, writeWindow } from './convolution_window.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';
import { ACTIVATIONS, MANY_ROWS, multiply, packedFor, rowNanoseconds, weightsOf } from './matrix_product.js';
import { MAX_SLOTS, partsOf } from './threads.js';
import { isForWinograd, winograd } from './winograd.js';

/** Approximate time per value of a patch. */
const NANOSECONDS_OF_COPY = 0.2;

registerWasmKernel(Convolution, (args) => {
  const { inputs, outputs, shapes, attributes, tensors, functions, scratch, inParts, threads } = args;
  const { x, bias } = inputs;
  const info = infoOf(shapes.x, shapes.filter, attributes);
  const positions = info.batchSize * info.outHeight * info.outWidth;
  if (positions === 0) return;
  const weights = weightsOf(inputs.filter, tensors.filter);
  const { activation } = attributes;
  if (isOfPixels(info)) {
    multiply(args, { x, weights, bias, y: outputs.y, rows: positions, activation });
    return;
  }
  const window = writeWindow(args, info);
  if (isForWinograd(info)) {
    winograd(args, { x, filter: weights, bias, y: outputs.y, window, info, activation });
    return;
  }
  const bytesOfPatch = 4 * weights.inputs;
  if (positions < MANY_ROWS || bytesOfPatch === 0) {
    // All patches at once: reading the filter dominates, and each part reads its own columns of it.
    const patches = scratch(bytesOfPatch * positions);
    const copies = partsOf(positions, NANOSECONDS_OF_COPY * weights.inputs);
    inParts('convolution_patches', copies, (first, count) => [
      ...([x, patches + bytesOfPatch * first, window, first, count] as const),
    ]);
    multiply(args, { x: patches, weights, bias, y: outputs.y, rows: positions, activation });
    return;
  }
  const packed = packedFor(positions, args, weights);
  const bytes = functions.convolution_scratch(window);
  const nanoseconds = rowNanoseconds(weights.inputs, info.outChannels);
  // The filter is read once per part, or once per as many positions as have their patches in memory at a time.
  const parts = partsOf(positions, nanoseconds, bytes / bytesOfPatch, threads > 1 ? MAX_SLOTS : 1);
  const patches = scratch(bytes * parts.slots);
  inParts('convolution', parts, (first, count, slot) => [
    ...([x, packed, bias, outputs.y, patches + bytes * slot, window] as const),
    ...([first, count, ACTIVATIONS[activation]] as const),
  ]);
});

registerWasmKernel(ConvolutionInputGradient, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch } = args;
  const { height, width } = attributes;
  const window = windowOf(args, [shapes.dy[0], height, width, shapes.filter[2]], shapes.filter);
  const space = scratch(functions.convolution_input_scratch(window));
  functions.convolution_input_gradient(inputs.dy, inputs.filter, outputs.dx, space, window);
});

registerWasmKernel(ConvolutionFilterGradient, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch } = args;
  const { rows, columns } = attributes;
  const window = windowOf(args, shapes.x, [rows, columns, shapes.x[3], shapes.dy[3]]);
  const space = scratch(functions.convolution_filter_scratch(window));
  functions.convolution_filter_gradient(inputs.x, inputs.dy, outputs.dfilter, space, window);
});

type Shape4D = [number, number, number, number];

function infoOf(
  image: readonly number[],
  filter: readonly number[],
  { strides, padding }: ConvolutionAttributes,
): backend_util.Conv2DInfo {
  const sizes = [[...image], [...filter]] as [Shape4D, Shape4D];
  return backend_util.computeConv2DInfo(...sizes, [...strides] as [number, number], 1, padOf(padding));
}

function windowOf(
  args: Pick<WasmKernelArguments<OpDeclaration, unknown>, 'integers'> & {
    readonly attributes: ConvolutionAttributes;
  },
  image: readonly number[],
  filter: readonly number[],
): number {
  return writeWindow(args, infoOf(image, filter, args.attributes));
}
