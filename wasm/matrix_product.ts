/** How a matrix product is done on WebAssembly: by the number of its rows. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Activation } from '../plugin/ops/activations.js';
import { Activation as Code, PANEL, TILE } from './constants.js';
import type { Cached } from './kernels.js';

/** Of linear.cc. */
export interface ProductFunctions {
  linear_pack(
    weights: number,
    packed: number,
    inputs: number,
    columns: number,
    first: number,
    end: number,
  ): void;
  linear(
    x: number,
    packed: number,
    bias: number,
    y: number,
    rows: number,
    inputs: number,
    outputs: number,
    activation: number,
  ): void;
  linear_packing_bytes(inputs: number): number;
  linear_packing(
    x: number,
    weights: number,
    bias: number,
    y: number,
    scratch: number,
    rows: number,
    inputs: number,
    columns: number,
    firstOutput: number,
    outputs: number,
    activation: number,
  ): void;
  linear_streaming(
    x: number,
    weights: number,
    bias: number,
    y: number,
    rows: number,
    inputs: number,
    columns: number,
    firstOutput: number,
    outputs: number,
    activation: number,
  ): void;
}

/** What it needs of a kernel's arguments: see kernels.ts. */
interface Memory {
  readonly functions: ProductFunctions;
  readonly scratch: (bytes: number) => number;
  readonly cached: Cached;
}

/** Addresses, 0 for no bias, and sizes. */
export interface Product {
  /** [rows, I] */
  readonly x: number;
  /** [I, columns] */
  readonly weights: number;
  /** The tensor whose values they are. */
  readonly tensor: TensorInfo;
  /** The columns that are used, all by default. */
  readonly used?: readonly [first: number, end: number];
  /** [columns] */
  readonly bias?: number;
  /** [rows, used columns], the result. */
  readonly y: number;
  readonly rows: number;
  readonly activation?: Activation;
}

const ACTIVATIONS: Readonly<Record<Activation, number>> = {
  none: Code.NONE,
  gelu: Code.GELU,
  silu: Code.SILU,
};

/** From so many rows on packing costs a few hundredths of the product: it is done every time, and nothing is kept. */
const MANY_ROWS = 256;

/** y = activation(x @ weights + bias) */
export function multiply({ functions, scratch, cached }: Memory, product: Product): void {
  const { x, weights, tensor, bias = 0, y, rows, activation = 'none' } = product;
  const [inputs, columns] = tensor.shape;
  const { used: [first, end] = [0, columns] } = product;
  const outputs = end - first;
  const biasUsed = bias === 0 ? 0 : bias + 4 * first;
  const applied = ACTIVATIONS[activation];
  if (rows < TILE) {
    // The weights are read where they are: packing would cost more than the product.
    functions.linear_streaming(x, weights, biasUsed, y, rows, inputs, columns, first, outputs, applied);
  } else if (rows >= MANY_ROWS) {
    const block = scratch(functions.linear_packing_bytes(inputs));
    functions.linear_packing(x, weights, biasUsed, y, block, rows, inputs, columns, first, outputs, applied);
  } else {
    const bytes = 4 * Math.ceil(outputs / PANEL) * PANEL * inputs;
    const packed = cached(tensor, `packed columns ${first} to ${end}`, bytes, (address) =>
      functions.linear_pack(weights, address, inputs, columns, first, end),
    );
    functions.linear(x, packed, biasUsed, y, rows, inputs, outputs, applied);
  }
}
