/** Linear on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { Linear, usedColumns } from '../plugin/ops/linear.js';
import { registerWasmKernel } from './kernels.js';
import { multiply, type ProductFunctions } from './matrix_product.js';

registerWasmKernel<typeof Linear, ProductFunctions>(
  Linear,
  ({ inputs: { x, weights, bias }, outputs: { y }, shapes, attributes, tensors, ...memory }) => {
    const rows = rowsOf(shapes.x);
    const used = usedColumns(shapes.weights[1], attributes);
    const { activation } = attributes;
    multiply(memory, { x, weights, tensor: tensors.weights, used, bias, y, rows, activation });
  },
);
