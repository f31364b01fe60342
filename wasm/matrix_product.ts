/** How a matrix product is done on WebAssembly: by the number of its rows. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { ConvolutionActivation } from '../plugin/ops/activations.js';
import { Activation as Code, LANES, PANEL, TILE } from './constants.js';
import type { WasmFunctions } from './functions.js';
import type { Cached, InParts } from './kernels.js';
import { partsOf } from './threads.js';

/** What it needs of a kernel's arguments: see kernels.ts. */
interface Memory<Functions = Pick<WasmFunctions, 'linear_pack' | 'linear' | 'linear_streaming'>> {
  readonly inParts: InParts<Functions>;
  readonly scratch: (bytes: number) => number;
  readonly cached: Cached;
}

/** A matrix [inputs, columns], of which some columns are used, all by default. */
export interface Weights {
  readonly address: number;
  /** The tensor whose values they are. */
  readonly tensor: TensorInfo;
  readonly inputs: number;
  readonly columns: number;
  readonly used?: readonly [first: number, end: number];
}

/** The weights of a tensor whose last axis is that of the columns. */
export function weightsOf(address: number, tensor: TensorInfo): Weights {
  const columns = tensor.shape[tensor.shape.length - 1];
  const inputs = tensor.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  return { address, tensor, inputs, columns };
}

/** Addresses, 0 for no bias, and sizes. */
export interface Product {
  /** [rows, inputs] */
  readonly x: number;
  readonly weights: Weights;
  /** [columns] */
  readonly bias?: number;
  /** [rows, used columns], the result. */
  readonly y: number;
  readonly rows: number;
  readonly activation?: ConvolutionActivation;
}

/** As kernels in C++ are told of them. */
export const ACTIVATIONS: Readonly<Record<ConvolutionActivation, number>> = {
  none: Code.NONE,
  gelu: Code.GELU,
  silu: Code.SILU,
  relu: Code.RELU,
};

/** From so many rows on packing costs a few hundredths of the product: it is done every time, and nothing is kept. */
export const MANY_ROWS = 256;

/** Of a product and of packing, for a number of the weights; of reading weights where they are. */
const NANOSECONDS = { product: 0.035, packing: 0.3, streaming: 0.3 };

/** About what a product takes for a row. */
export const rowNanoseconds = (inputs: number, outputs: number) => NANOSECONDS.product * inputs * outputs;

/** The address of weights in panels: packed for this call, or, for fewer rows, once for their tensor. */
export function packedFor(
  rows: number,
  { inParts, scratch, cached }: Memory<Pick<WasmFunctions, 'linear_pack'>>,
  { address, tensor, inputs, columns, used: [first, end] = [0, columns] }: Weights,
): number {
  const panels = Math.ceil((end - first) / PANEL);
  const bytes = 4 * panels * PANEL * inputs;
  const pack = (packed: number) =>
    inParts('linear_pack', partsOf(panels, NANOSECONDS.packing * PANEL * inputs), (panel, count) => [
      ...([address, packed + 4 * panel * PANEL * inputs, inputs, columns] as const),
      ...([first + panel * PANEL, Math.min(first + (panel + count) * PANEL, end)] as const),
    ]);
  if (rows < MANY_ROWS) return cached([tensor], `packed columns ${first} to ${end}`, bytes, pack);
  const packed = scratch(bytes);
  pack(packed);
  return packed;
}

/** y = activation(x @ weights + bias) */
export function multiply(memory: Memory, product: Product): void {
  const { inParts } = memory;
  const { x, weights, bias = 0, y, rows, activation = 'none' } = product;
  const { inputs, columns, used: [first, end] = [0, columns] } = weights;
  const outputs = end - first;
  const biasUsed = bias === 0 ? 0 : bias + 4 * first;
  const applied = ACTIVATIONS[activation];
  if (rows < TILE) {
    // The weights are read where they are: packing would cost more than the product. Rows of several are not split.
    const parts = partsOf(outputs, rows === 1 ? NANOSECONDS.streaming * inputs : 0, 4 * LANES);
    inParts('linear_streaming', parts, (column, count) => [
      ...([x, weights.address, biasUsed && biasUsed + 4 * column, y + 4 * column] as const),
      ...([rows, inputs, columns, first + column, count, applied] as const),
    ]);
    return;
  }
  const packed = packedFor(rows, memory, weights);
  const panels = Math.ceil(outputs / PANEL);
  if (rows >= MANY_ROWS) {
    inParts('linear', partsOf(rows, rowNanoseconds(inputs, outputs), TILE), (row, count) => [
      ...([x + 4 * row * inputs, packed, biasUsed, y + 4 * row * outputs] as const),
      ...([count, inputs, outputs, 0, panels, applied] as const),
    ]);
  } else {
    inParts('linear', partsOf(panels, rowNanoseconds(inputs, rows * PANEL), 1), (panel, count) => [
      ...([x, packed, biasUsed, y, rows, inputs, outputs] as const),
      ...([panel, panel + count, applied] as const),
    ]);
  }
}
