/** TransposedConvolution on WebAssembly. */
import { TransposedConvolution } from '../plugin/ops/transposed_convolution.js';
import { TILE } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { ACTIVATIONS, packedFor, rowNanoseconds, weightsOf } from './matrix_product.js';
import { partsOf } from './threads.js';

/** The pixels of a part are a multiple of this, since each part reads all weights. */
const TOGETHER = 64;

registerWasmKernel(TransposedConvolution, (args) => {
  const { inputs, outputs, shapes, attributes, tensors, scratch, inParts } = args;
  const [batch, height, width] = shapes.x;
  const pixels = batch * height * width;
  if (pixels === 0) return;
  const weights = weightsOf(inputs.weights, tensors.weights);
  const { rows, activation } = attributes;
  const packed = packedFor(pixels, args, weights);
  const parts = partsOf(pixels, rowNanoseconds(weights.inputs, weights.columns), TOGETHER);
  const bytes = 4 * TILE * weights.columns;
  const sums = scratch(bytes * parts.slots);
  inParts('transposed_convolution', parts, (first, count, slot) => [
    ...([inputs.x, packed, inputs.bias, outputs.y, sums + bytes * slot] as const),
    ...([first, count, width, weights.inputs, rows, weights.columns / rows] as const),
    ACTIVATIONS[activation],
  ]);
});
