/** Linear on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { Linear, usedColumns } from '../plugin/ops/linear.js';
import { registerWasmKernel } from './kernels.js';
import { multiply, weightsOf } from './matrix_product.js';

registerWasmKernel(
  Linear,
  ({ inputs: { x, weights, bias }, outputs: { y }, shapes, attributes, tensors, ...memory }) => {
    const used = usedColumns(shapes.weights[1], attributes);
    multiply(memory, {
      ...{ x, bias, y, rows: rowsOf(shapes.x), activation: attributes.activation },
      weights: { ...weightsOf(weights, tensors.weights), used },
    });
  },
);
