/** Matrix products on WebAssembly; the method depends on the number of rows. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { ConvolutionActivation } from '../plugin/ops/activations.js';
import { Activation as Code, LANES, PANEL, TILE } from './constants.js';
import type { WasmFunctions } from './functions.js';
import type { Cached, InParts } from './kernels.js';
import { partsOf } from './threads.js';

/** The kernel arguments that it needs: see kernels.ts. */
interface Memory<Functions = Pick<WasmFunctions, 'linear_pack' | 'linear' | 'linear_streaming'>> {
  readonly inParts: InParts<Functions>;
  readonly scratch: (bytes: number) => number;
  readonly cached: Cached;
}

/** A matrix [inputs, columns] and the range of columns to use, all by default. */
export interface Weights {
  readonly address: number;
  /** The tensor that holds the values. */
  readonly tensor: TensorInfo;
  readonly inputs: number;
  readonly columns: number;
  readonly used?: readonly [first: number, end: number];
}

/** Returns the weights in a tensor whose last axis is the columns. */
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
  /** [rows, used columns], added after the activation; 0 for none. */
  readonly residual?: number;
  /** [rows, used columns], the result. */
  readonly y: number;
  readonly rows: number;
  readonly activation?: ConvolutionActivation;
}

/** Their codes in C++ kernels. */
export const ACTIVATIONS: Readonly<Record<ConvolutionActivation, number>> = {
  none: Code.NONE,
  gelu: Code.GELU,
  silu: Code.SILU,
  relu: Code.RELU,
};

/**
 * From this number of rows on, packing costs a few hundredths of the product, so it is repeated each time and not cached.
 */
export const MANY_ROWS = 256;

/** Time of a product and of packing per weight, and of reading weights in place. */
const NANOSECONDS = { product: 0.035, packing: 0.3, streaming: 0.3 };

/** Approximate time of a product per row. */
export const rowNanoseconds = (inputs: number, outputs: number) => NANOSECONDS.product * inputs * outputs;

/** Returns the address of weights in panels: packed for this call or, for fewer rows, cached with their tensor. */
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

/** y = residual + activation(x @ weights + bias) */
export function multiply(memory: Memory, product: Product): void {
  const { inParts } = memory;
  const { x, weights, bias = 0, residual = 0, y, rows, activation = 'none' } = product;
  const { inputs, columns, used: [first, end] = [0, columns] } = weights;
  const outputs = end - first;
  const biasUsed = bias === 0 ? 0 : bias + 4 * first;
  const applied = ACTIVATIONS[activation];
  const residualAt = (value: number) => residual && residual + 4 * value;
  if (rows < TILE) {
    // The weights are read in place: packing would cost more than the product. Products of several rows are not split.
    const parts = partsOf(outputs, rows === 1 ? NANOSECONDS.streaming * inputs : 0, 4 * LANES);
    inParts('linear_streaming', parts, (column, count) => [
      ...([x, weights.address, biasUsed && biasUsed + 4 * column] as const),
      ...([
        residualAt(column),
        y + 4 * column,
        rows,
        inputs,
        columns,
        first + column,
        count,
        applied,
      ] as const),
    ]);
    return;
  }
  const packed = packedFor(rows, memory, weights);
  const panels = Math.ceil(outputs / PANEL);
  if (rows >= MANY_ROWS) {
    inParts('linear', partsOf(rows, rowNanoseconds(inputs, outputs), TILE), (row, count) => [
      ...([x + 4 * row * inputs, packed, biasUsed, residualAt(row * outputs)] as const),
      ...([y + 4 * row * outputs, count, inputs, outputs, 0, panels, applied] as const),
    ]);
  } else {
    inParts('linear', partsOf(panels, rowNanoseconds(inputs, rows * PANEL), 1), (panel, count) => [
      ...([x, packed, biasUsed, residual, y, rows, inputs, outputs] as const),
      ...([panel, panel + count, applied] as const),
    ]);
  }
}
