/** Linear, ResidualLinear and GatedLinear on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { GatedLinear, ResidualLinear } from '../plugin/ops/fused_linear.js';
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

registerWasmKernel(
  ResidualLinear,
  ({ inputs: { x, weights, residual, bias }, outputs: { y }, shapes, tensors, ...memory }) => {
    const used = weightsOf(weights, tensors.weights);
    multiply(memory, { x, weights: used, bias, residual, y, rows: rowsOf(shapes.x) });
  },
);

registerWasmKernel(
  GatedLinear,
  ({ inputs: { x, weights, bias }, outputs: { y, gate }, shapes, tensors, ...memory }) => {
    const [rows, all] = [rowsOf(shapes.x), weightsOf(weights, tensors.weights)];
    const half = all.columns / 2;
    multiply(memory, { x, weights: { ...all, used: [0, half] }, bias, y, rows });
    multiply(memory, {
      ...{ x, bias, y: gate, rows, activation: 'silu' },
      weights: { ...all, used: [half, all.columns] },
    });
  },
);
