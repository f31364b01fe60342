/** The op Linear. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { Linear, usedColumns } from '../../plugin/ops/linear.js';
import type { Block } from './backend/allocator.js';
import type { Epilogue } from './backend/kernels/epilogue.js';
import { multiply } from './backend/kernels/matrix_product.js';
import { registerCudaKernel } from './kernels.js';

const ACTIVATIONS: Readonly<Record<string, Epilogue['activation']>> = {
  none: 'linear',
  gelu: 'gelu',
  silu: 'silu',
};

registerCudaKernel(Linear, ({ inputs: { x, weights, bias }, outputs: { y }, attributes, shapes, call }) => {
  const [k, columns] = shapes.weights;
  const [first, end] = usedColumns(columns, attributes);
  multiply(call, {
    a: x,
    b: from(weights, first),
    c: y,
    m: rowsOf(shapes.x),
    n: end - first,
    k,
    bStride: columns,
    epilogue: {
      bias: bias && { block: from(bias, first), stride: 1 },
      activation: ACTIVATIONS[attributes.activation],
    },
  });
});

/** Returns the part of a float32 block from an element on. */
function from({ address, bytes }: Block, element: number): Block {
  return { address: address + 4 * element, bytes: bytes - 4 * element };
}
