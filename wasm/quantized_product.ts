/** Layers and convolutions with 8-bit weights on WebAssembly: integer rows and weights, see quantized_product.as.ts. */
import { backend_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { rowsOf } from '../plugin/kernels/sizes.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import { usedColumns } from '../plugin/ops/linear.js';
import { QuantizedConvolution } from '../plugin/ops/quantized_convolution.js';
import {
  QuantizedGatedLinear,
  QuantizedLinear,
  QuantizedResidualLinear,
} from '../plugin/ops/quantized_linear.js';
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
  WasmKernelArguments<OpDeclaration, Functions>,
  'functions' | 'memory' | 'scratch' | 'inParts' | 'cached'
>;

/** What calls of all these ops have. */
interface LayerCall extends Call {
  readonly inputs: Readonly<Record<'x' | 'codes' | 'scales' | 'bias', number>>;
  readonly shapes: Readonly<Record<'x' | 'codes', readonly number[]>>;
  readonly tensors: Readonly<Record<'codes', TensorInfo>>;
}

/** Addresses and sizes of 8-bit weights; 0 for no bias. */
interface Weights {
  /** [terms, columns], as in its tensor. */
  readonly codes: number;
  readonly scales: number;
  readonly bias: number;
  /** That holds the codes. */
  readonly tensor: TensorInfo;
  readonly terms: number;
  readonly columns: number;
}

interface Rows {
  readonly rows: number;
  /** Returns the address of rows, [count, terms] float32, valid until the next call. */
  readonly rowsFrom: (first: number, count: number) => number;
}

/** y = residual + activation(rows @ weights + bias) for a range of the columns. */
interface Result {
  readonly used: readonly [first: number, end: number];
  readonly activation?: 'none' | 'relu' | 'gelu' | 'silu';
  /** As y; 0 for none. It needs no activation. */
  readonly residual?: number;
  /** [rows, used columns] */
  readonly y: number;
}

/** Computes several results of the same rows, which are quantised once. */
function multiply(call: Call, weights: Weights, { rows, rowsFrom }: Rows, results: readonly Result[]): void {
  const { functions, scratch, inParts } = call;
  const { terms } = weights;
  const widest = Math.max(...results.map(({ used: [first, end] }) => end - first));
  const chunk = Math.min(rows, chunkOf(terms, widest));
  if (chunk === 0 || widest === 0) return;
  const tiles = scratch(functions.quantizedTileBytes(chunk, terms));
  const tileBytes = functions.quantizedTileBytes(TILE, terms);
  const products = results.map((result) => {
    const product =
      rows < TILE ? productInPlace(call, weights, result) : productOfPanels(call, weights, result);
    return { ...result, product, outputs: result.used[1] - result.used[0] };
  });
  for (let row = 0; row < rows; row += chunk) {
    const count = Math.min(chunk, rows - row);
    const from = rowsFrom(row, count);
    inParts('quantizedRows', partsOf(count, NANOSECONDS.row * terms, TILE), (row, some) => [
      ...([from + 4 * row * terms, tiles + (row / TILE) * tileBytes, some, terms] as const),
    ]);
    for (const { product, y, residual = 0, outputs, activation = 'none' } of products) {
      const done = 4 * row * outputs;
      product(tiles, residual && residual + done, y + done, count);
      if (activation === 'none') continue;
      const parts = partsOf(count * outputs, NANOSECONDS.activation, LANES);
      inParts(`${activation}_all`, parts, (value, some) => [
        ...([y + done + 4 * value, y + done + 4 * value, some] as const),
      ]);
    }
  }
}

/** Multiplies quantised rows: see quantized_tiles.as.ts. */
type MultiplyTiles = (tiles: number, residual: number, y: number, rows: number) => void;

/** For few rows the weights are read in place: packing would cost more than the product. */
function productInPlace(
  { functions }: Call,
  { codes, scales, bias, terms, columns }: Weights,
  { used }: Result,
): MultiplyTiles {
  return (tiles, residual, y, rows) =>
    functions.quantizedStream(tiles, codes, scales, bias, residual, y, rows, terms, columns, ...used);
}

function productOfPanels(call: Call, weights: Weights, { used: [first, end] }: Result): MultiplyTiles {
  const { functions, memory, scratch, inParts, cached } = call;
  const { codes, scales, bias, tensor, terms, columns } = weights;
  const outputs = end - first;
  const totals = cached(
    [tensor],
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
  const tileBytes = functions.quantizedTileBytes(TILE, terms);
  return (tiles, residual, y, rows) => {
    const parts = partsOf(rows, NANOSECONDS.product * terms * outputs, TILE);
    inParts('quantizedProduct', parts, (row, count) => {
      const before = 4 * row * outputs;
      return [
        ...([tiles + (row / TILE) * tileBytes, packed, residual && residual + before, y + before] as const),
        ...([count, terms, outputs, fused] as const),
      ];
    });
  };
}

/** Rows per chunk, a multiple of the tile size. */
function chunkOf(terms: number, outputs: number): number {
  const rows = CHUNK_BYTES / (4 * outputs + 2 * terms + 1);
  return Math.max(LEAST_CHUNK, Math.floor(rows / TILE) * TILE);
}

registerWasmKernel<typeof QuantizedLinear, Functions>(QuantizedLinear, (args) => {
  const { attributes, outputs } = args;
  const weights = weightsOf(args);
  const { activation } = attributes;
  const used = usedColumns(weights.columns, attributes);
  multiply(args, weights, rowsOfTensor(args), [{ used, activation, y: outputs.y }]);
});

registerWasmKernel<typeof QuantizedResidualLinear, Functions>(QuantizedResidualLinear, (args) => {
  const { inputs, outputs } = args;
  const weights = weightsOf(args);
  const used = [0, weights.columns] as const;
  multiply(args, weights, rowsOfTensor(args), [{ used, residual: inputs.residual, y: outputs.y }]);
});

registerWasmKernel<typeof QuantizedGatedLinear, Functions>(QuantizedGatedLinear, (args) => {
  const { outputs } = args;
  const weights = weightsOf(args);
  const half = weights.columns / 2;
  multiply(args, weights, rowsOfTensor(args), [
    { used: [0, half], y: outputs.y },
    { used: [half, weights.columns], activation: 'silu', y: outputs.gate },
  ]);
});

registerWasmKernel<typeof QuantizedConvolution, Functions>(QuantizedConvolution, (args) => {
  const { inputs, outputs, shapes, attributes, inParts, scratch } = args;
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
  const results = [{ used: [0, columns], activation, y: outputs.y }] as const;
  if (isOfPixels(info)) {
    multiply(args, weightsOf(args, terms), rowsOfTensor(args), results);
    return;
  }
  const window = writeWindow(args, info);
  const patches = scratch(4 * terms * Math.min(rows, chunkOf(terms, columns)));
  const rowsFrom = (first: number, count: number) => {
    inParts('convolution_patches', partsOf(count, NANOSECONDS.row * terms), (row, some) => [
      ...([inputs.x, patches + 4 * row * terms, window, first + row, some] as const),
    ]);
    return patches;
  };
  multiply(args, weightsOf(args, terms), { rows, rowsFrom }, results);
});

function weightsOf({ inputs, shapes, tensors }: LayerCall, terms = lastOf(shapes.x)): Weights {
  const { codes, scales, bias } = inputs;
  return { codes, scales, bias, tensor: tensors.codes, terms, columns: shapes.codes[1] };
}

/** All rows of x, which are in memory. */
function rowsOfTensor({ inputs: { x }, shapes }: LayerCall): Rows {
  const terms = lastOf(shapes.x);
  return { rows: rowsOf(shapes.x), rowsFrom: (first) => x + 4 * first * terms };
}

const lastOf = (shape: readonly number[]) => shape[shape.length - 1];
