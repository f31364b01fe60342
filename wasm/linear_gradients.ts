/** The gradients of linear layers on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { LinearInputGradient, LinearWeightGradient, RowSum, usedColumns } from '../plugin/ops/linear.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(
  LinearInputGradient,
  ({ inputs: { dy, weights }, outputs: { dx }, shapes, attributes, functions, scratch }) => {
    const [inputs, columns] = shapes.weights;
    const [first, end] = usedColumns(columns, attributes);
    const [rows, outputs] = [rowsOf(shapes.dy), end - first];
    const space = scratch(functions.linear_input_gradient_scratch(outputs));
    functions.linear_input_gradient(dy, weights, dx, space, rows, inputs, columns, first, outputs);
  },
);

registerWasmKernel(
  LinearWeightGradient,
  ({ inputs: { x, dy }, outputs: { dweights }, shapes, attributes, functions, scratch }) => {
    const { columns } = attributes;
    const [first, end] = usedColumns(columns, attributes);
    const [rows, inputs, outputs] = [rowsOf(shapes.x), shapes.x[shapes.x.length - 1], end - first];
    const space = scratch(functions.linear_weight_gradient_scratch(outputs));
    functions.linear_weight_gradient(x, dy, dweights, space, rows, inputs, columns, first, outputs);
  },
);

registerWasmKernel(RowSum, ({ inputs: { x }, outputs: { y }, shapes, functions, scratch }) => {
  const channels = shapes.x[shapes.x.length - 1];
  functions.row_sum(x, y, scratch(4 * channels), rowsOf(shapes.x), channels);
});
