/** tfjs's matrix products, with and without bias and activation. */
import {
  broadcast_util,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { broadcastStrides, layoutOf } from '../broadcast.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { MAX_AXES } from './constants.js';
import type { Epilogue } from './epilogue.js';
import { Fused } from './fused.js';
import { multiply } from './matrix_product.js';
import { areFloats } from './window.js';

interface Factors {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}

for (const op of ['BatchMatMul', '_FusedMatMul']) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { a, b } = inputs as object as Factors;
    const fused = new Fused(inputs, attrs);
    if (!areFloats(a, b) || !fused.isKnown) return onCpu();
    const columns = b.shape.at(attrs.transposeB ? -2 : -1)!;
    const rank = Math.max(a.shape.length, b.shape.length);
    const sums = (epilogue: Epilogue) => product(call, inputs, attrs, epilogue);
    return fused.apply(call, sums, columns, rank) ?? onCpu();
  });
}

/** @returns undefined if the batch is broadcast over too many axes for a kernel */
function product(
  call: KernelCall,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  epilogue: Epilogue,
): DeviceTensor | undefined {
  const { a, b } = inputs as object as Factors;
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  for (const [name, { shape }] of Object.entries({ a, b })) {
    if (shape.length < 2) throw new Error(`${name} has shape ${showShape(shape)}, expected a matrix`);
  }
  const [m, k] = matrixOf(a.shape, transposeA);
  const [rows, n] = matrixOf(b.shape, transposeB);
  util.assert(
    k === rows,
    () =>
      `Error in matMul: inner shapes (${k}) and (${rows}) of Tensors with shapes ${a.shape} and ` +
      `${b.shape} and transposeA=${transposeA} and transposeB=${transposeB} must match.`,
  );
  const [aBatch, bBatch] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const shape = broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const batch = layoutOf(shape, [
    broadcastStrides(aBatch, shape).map((stride) => stride * m * k),
    broadcastStrides(bBatch, shape).map((stride) => stride * k * n),
  ]);
  if (batch.extents.length > MAX_AXES) return undefined;
  const c = call.output([...shape, m, n], 'float32');
  multiply(call, { a: call.input(a), b: call.input(b), c, m, n, k, transposeA, transposeB, batch, epilogue });
  return c;
}

function matrixOf(shape: readonly number[], transposed: boolean): [rows: number, columns: number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}
