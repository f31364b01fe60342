/**
 * Linear: tiles of 4 x 4 sums a thread. Where rows are few, the threads of a workgroup share the terms of every sum, so
 * that enough of them run; their parts are added in memory of the workgroup, without a second dispatch.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { Linear, usedColumns } from '../../plugin/ops/linear.js';
import { registerWebgpuKernel } from './kernels.js';
import { multiply } from './matrix_product.js';

registerWebgpuKernel(Linear, ({ inputs, outputs: { y }, shapes, attributes, ...running }) => {
  const { x, weights, bias } = inputs;
  const [inputChannels, columns] = shapes.weights;
  const [first, end] = usedColumns(columns, attributes);
  multiply(running, {
    ...{ a: x, b: weights, bias, y, activation: attributes.activation },
    sizes: { rows: rowsOf(shapes.x), terms: inputChannels, columns, first, outputs: end - first },
  });
});
