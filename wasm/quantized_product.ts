/** QuantizedLinear and QuantizedConvolution on WebAssembly: integer rows and weights, see quantized_product.as.ts. */
import { backend_util } from '@tensorflow/tfjs-core';
import { rowsOf } from '../plugin/kernels/sizes.js';
import { usedColumns } from '../plugin/ops/linear.js';
import { QuantizedConvolution } from '../plugin/ops/quantized_convolution.js';
import { QuantizedLinear } from '../plugin/ops/quantized_linear.js';
import { LANES, PANEL, TILE } from './constants.js';
import { isOfPixels, writeWindow } from './convolution_window.js';
import type { WasmFunctions } from './functions.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';
import { type QuantizedFunctions, sumsFused } from './quantized_module.js';
import { partsOf } from './threads.js';

/** Products are in AssemblyScript, the other functions in C++. */
type Functions = QuantizedFunctions &
  Pick<WasmFunctions, 'gelu_all' | 'silu_all' | 'relu_all' | 'convolution_patches'>;

/** Maximum bytes of the second-level cache for the rows of a chunk and their results. */
const CHUNK_BYTES = 400_000;
const LEAST_CHUNK = 32;

/** Time of a product per weight and row; of packing per weight; of quantising per row value; of an activation per result. */
const NANOSECONDS = { product: 0.018, packing: 0.08, row: 0.25, activation: 1 };

type Call = Pick<
  WasmKernelArguments<typeof QuantizedLinear | typeof QuantizedConvolution, Functions>,
  'functions' | 'memory' | 'scratch' | 'inParts' | 'cached' | 'tensors'
>;

interface Product {
  /** [terms, columns], as in its tensor. */
  readonly codes: number;
  readonly scales: number;
  readonly bias: number;
  readonly terms: number;
  readonly columns: number;
  readonly used: readonly [first: number, end: number];
  readonly rows: number;
  /** [rows, used columns], the result. */
  readonly y: number;
  readonly activation: 'none' | 'relu' | 'gelu' | 'silu';
  /** Returns the address of rows, [count, terms] float32, valid until the next call. */
  readonly rowsFrom: (first: number, count: number) => number;
}

function multiply(call: Call, product: Product): void {
  const { functions, memory, scratch, inParts, cached, tensors } = call;
  const { codes, scales, bias, terms, columns, used, rows, y, activation, rowsFrom } = product;
  const [first, end] = used;
  const outputs = end - first;
  const chunk = Math.min(rows, chunkOf(terms, outputs));
  if (chunk === 0 || outputs === 0) return;
  const tiles = scratch(functions.quantizedTileBytes(chunk, terms));
  const tileBytes = functions.quantizedTileBytes(TILE, terms);
  const quantize = (from: number, count: number) =>
    inParts('quantizedRows', partsOf(count, NANOSECONDS.row * terms, TILE), (row, some) => [
      ...([from + 4 * row * terms, tiles + (row / TILE) * tileBytes, some, terms] as const),
    ]);
  const activate = (to: number, count: number) => {
    if (activation === 'none') return;
    inParts(`${activation}_all`, partsOf(count * outputs, NANOSECONDS.activation, LANES), (value, some) => [
      ...([to + 4 * value, to + 4 * value, some] as const),
    ]);
  };
  if (rows < TILE) {
    // The weights are read in place: packing would cost more than the product.
    quantize(rowsFrom(0, rows), rows);
    functions.quantizedStream(tiles, codes, scales, bias, y, rows, terms, columns, first, end);
    activate(y, rows);
    return;
  }
  const totals = cached(
    [tensors.codes],
    `totals ${first} to ${end}`,
    functions.quantizedTotalBytes(outputs),
    (address) => functions.quantizedTotals(codes, address, terms, columns, first, end),
  );
  const totalBytes = functions.quantizedTotalBytes(PANEL);
  const packed = scratch(functions.quantizedPackBytes(terms, outputs));
  const panelBytes = functions.quantizedPackBytes(terms, PANEL);
  const panels = Math.ceil(outputs / PANEL);
  inParts('quantizedPack', partsOf(panels, NANOSECONDS.packing * terms * PANEL), (panel, count) => [
    ...([codes, scales, bias, totals + panel * totalBytes, packed + panel * panelBytes] as const),
    ...([terms, columns, first + panel * PANEL, Math.min(first + (panel + count) * PANEL, end)] as const),
  ]);
  const fused = sumsFused(functions, { memory, allocate: scratch, free: () => {} }) ? 1 : 0;
  for (let row = 0; row < rows; row += chunk) {
    const count = Math.min(chunk, rows - row);
    const to = y + 4 * row * outputs;
    quantize(rowsFrom(row, count), count);
    inParts('quantizedProduct', partsOf(count, NANOSECONDS.product * terms * outputs, TILE), (part, some) => [
      ...([tiles + (part / TILE) * tileBytes, packed, to + 4 * part * outputs, some] as const),
      ...([terms, outputs, fused] as const),
    ]);
    activate(to, count);
  }
}

/** Rows per chunk, a multiple of the tile size. */
function chunkOf(terms: number, outputs: number): number {
  const rows = CHUNK_BYTES / (4 * outputs + 2 * terms + 1);
  return Math.max(LEAST_CHUNK, Math.floor(rows / TILE) * TILE);
}

registerWasmKernel<typeof QuantizedLinear, Functions>(QuantizedLinear, (args) => {
  const { inputs, outputs, shapes, attributes } = args;
  const { x, codes, scales, bias } = inputs;
  const terms = shapes.x[shapes.x.length - 1];
  const columns = shapes.codes[1];
  multiply(args, {
    ...{ codes, scales, bias, terms, columns, y: outputs.y },
    used: usedColumns(columns, attributes),
    rows: rowsOf(shapes.x),
    activation: attributes.activation,
    rowsFrom: (first) => x + 4 * first * terms,
  });
});

registerWasmKernel<typeof QuantizedConvolution, Functions>(QuantizedConvolution, (args) => {
  const { inputs, outputs, shapes, attributes, inParts, scratch } = args;
  const { x, codes, scales, bias } = inputs;
  const { rows: height, columns: width, strides, padding, dilations, activation } = attributes;
  const [top, bottom, left, right] = padding;
  const columns = shapes.codes[1];
  const info = backend_util.computeConv2DInfo(
    [...shapes.x] as [number, number, number, number],
    [height, width, shapes.x[3], columns],
    [...strides] as [number, number],
    [...dilations] as [number, number],
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
  );
  const terms = height * width * shapes.x[3];
  const rows = info.batchSize * info.outHeight * info.outWidth;
  const isPixels = isOfPixels(info);
  const window = isPixels ? 0 : writeWindow(args, info);
  const patches = isPixels ? 0 : scratch(4 * terms * Math.min(rows, chunkOf(terms, columns)));
  multiply(args, {
    ...{ codes, scales, bias, terms, columns, rows, activation, y: outputs.y },
    used: [0, columns],
    rowsFrom: (first, count) => {
      if (isPixels) return x + 4 * first * terms;
      inParts('convolution_patches', partsOf(count, NANOSECONDS.row * terms), (row, some) => [
        ...([x, patches + 4 * row * terms, window, first + row, some] as const),
      ]);
      return patches;
    },
  });
});
