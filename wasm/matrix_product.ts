/** How a matrix product is done on WebAssembly: by the number of its rows. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Activation } from '../plugin/ops/activations.js';
import { Activation as Code, LANES, PANEL, TILE } from './constants.js';
import type { Cached, InParts } from './kernels.js';
import { partsOf } from './threads.js';

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
    firstPanel: number,
    endPanel: number,
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
  readonly inParts: InParts<ProductFunctions>;
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

/** Of a product and of packing, for a number of the weights; of reading weights where they are. */
const NANOSECONDS = { product: 0.035, packing: 0.3, streaming: 0.3 };

/** y = activation(x @ weights + bias) */
export function multiply({ inParts, scratch, cached }: Memory, product: Product): void {
  const { x, weights, tensor, bias = 0, y, rows, activation = 'none' } = product;
  const [inputs, columns] = tensor.shape;
  const { used: [first, end] = [0, columns] } = product;
  const outputs = end - first;
  const biasUsed = bias === 0 ? 0 : bias + 4 * first;
  const applied = ACTIVATIONS[activation];
  if (rows < TILE) {
    // The weights are read where they are: packing would cost more than the product. Rows of several are not split.
    const parts = partsOf(outputs, rows === 1 ? NANOSECONDS.streaming * inputs : 0, 4 * LANES);
    inParts('linear_streaming', parts, (column, count) => [
      ...([x, weights, biasUsed && biasUsed + 4 * column, y + 4 * column] as const),
      ...([rows, inputs, columns, first + column, count, applied] as const),
    ]);
    return;
  }
  const panels = Math.ceil(outputs / PANEL);
  const bytes = 4 * panels * PANEL * inputs;
  const pack = (packed: number) =>
    inParts('linear_pack', partsOf(panels, NANOSECONDS.packing * PANEL * inputs), (panel, count) => [
      ...([weights, packed + 4 * panel * PANEL * inputs, inputs, columns] as const),
      ...([first + panel * PANEL, Math.min(first + (panel + count) * PANEL, end)] as const),
    ]);
  if (rows >= MANY_ROWS) {
    const packed = scratch(bytes);
    pack(packed);
    inParts('linear', partsOf(rows, NANOSECONDS.product * inputs * outputs, TILE), (row, count) => [
      ...([x + 4 * row * inputs, packed, biasUsed, y + 4 * row * outputs] as const),
      ...([count, inputs, outputs, 0, panels, applied] as const),
    ]);
  } else {
    const packed = cached(tensor, `packed columns ${first} to ${end}`, bytes, pack);
    inParts('linear', partsOf(panels, NANOSECONDS.product * inputs * rows * PANEL), (panel, count) => [
      ...([x, packed, biasUsed, y, rows, inputs, outputs] as const),
      ...([panel, panel + count, applied] as const),
    ]);
  }
}
