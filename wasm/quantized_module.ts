/**
 * Selects the build of the integer products: that for relaxed SIMD, if the engine supports it and it gives the same results,
 * or the one that every engine supports.
 */
import type { WasmFileName } from './module_files.js';
import { mayRelax, type Space } from './relaxed_simd.js';

/** Exports of quantized_product.as.ts. */
export interface QuantizedFunctions {
  quantizedIsRelaxed(): number;
  quantizedTotalBytes(outputs: number): number;
  quantizedTotals(
    codes: number,
    totals: number,
    inputs: number,
    columns: number,
    first: number,
    end: number,
  ): void;
  quantizedPackBytes(inputs: number, outputs: number): number;
  quantizedTileBytes(rows: number, inputs: number): number;
  quantizedPack(
    codes: number,
    scales: number,
    bias: number,
    totals: number,
    packed: number,
    inputs: number,
    columns: number,
    first: number,
    end: number,
  ): void;
  quantizedRows(x: number, tiles: number, rows: number, inputs: number): void;
  quantizedProduct(
    tiles: number,
    packed: number,
    residual: number,
    y: number,
    rows: number,
    inputs: number,
    outputs: number,
    fused: number,
  ): void;
  quantizedStream(
    tiles: number,
    codes: number,
    scales: number,
    bias: number,
    residual: number,
    y: number,
    rows: number,
    inputs: number,
    columns: number,
    first: number,
    end: number,
  ): void;
}

const PLAIN = 'quantized.wasm';
const RELAXED = 'quantized_relaxed.wasm';

/** Sizes of the comparison: full and partial panels and tiles, and enough work to measure. */
const ROWS = 30;
const INPUTS = 148;
const OUTPUTS = 44;

/** Returns the files that must be loaded for this engine. */
export function productFiles(): WasmFileName[] {
  return mayRelax() ? [PLAIN, RELAXED] : [PLAIN];
}

/**
 * Returns the module for this engine. The one for relaxed SIMD is used only if it gives the same bits as the other: before
 * release, engines had these instructions behind a flag, with bugs of their own.
 */
export function productModule(
  moduleOf: (file: WasmFileName) => WebAssembly.Module,
  space: Space,
): WebAssembly.Module {
  const plain = moduleOf(PLAIN);
  if (!mayRelax()) return plain;
  const relaxed = moduleOf(RELAXED);
  const given = (module: WebAssembly.Module, fused: boolean) =>
    sampleOf(functionsOf(module, space), space, (run) => run(fused));
  const expected = given(plain, false);
  const isRight = [false, true].every((fused) =>
    given(relaxed, fused).every((value, i) => value === expected[i]),
  );
  return isRight ? relaxed : plain;
}

function functionsOf(module: WebAssembly.Module, { memory }: Space): QuantizedFunctions {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as QuantizedFunctions;
}

let fusedIsFaster: boolean | undefined;

/** Whether the relaxed multiply-and-add instruction is faster; measured on the first call. */
export function sumsFused(functions: QuantizedFunctions, space: Space): boolean {
  if (!functions.quantizedIsRelaxed()) return false;
  fusedIsFaster ??= isFaster(functions, space);
  return fusedIsFaster;
}

function isFaster(relaxed: QuantizedFunctions, space: Space): boolean {
  const times = { fused: Number.POSITIVE_INFINITY, apart: Number.POSITIVE_INFINITY };
  sampleOf(relaxed, space, (run) => {
    for (let round = 0; round < 20; round++) {
      for (const name of ['apart', 'fused'] as const) {
        const start = performance.now();
        for (let i = 0; i < 10; i++) run(name === 'fused');
        times[name] = Math.min(times[name], performance.now() - start);
      }
    }
  });
  return times.fused < times.apart;
}

/**
 * Computes a product of fixed numbers. `use` may run it any number of times.
 * @returns the result
 */
function sampleOf(
  functions: QuantizedFunctions,
  { memory, allocate, free }: Space,
  use: (run: (fused: boolean) => void) => void,
): Float32Array {
  const words = Math.ceil(INPUTS / 4);
  const sizes = [
    ROWS * INPUTS * 4,
    words * OUTPUTS * 4,
    OUTPUTS * 4,
    functions.quantizedTileBytes(ROWS, INPUTS),
    functions.quantizedTotalBytes(OUTPUTS),
    functions.quantizedPackBytes(INPUTS, OUTPUTS),
    ROWS * OUTPUTS * 4,
  ];
  const blocks: number[] = [];
  try {
    for (const size of sizes) blocks.push(allocate(size));
    const [x, codes, scales, tiles, totals, packed, y] = blocks;
    const numbers = <Array extends Float32Array | Int8Array>(values: Array, value: (i: number) => number) => {
      for (let i = 0; i < values.length; i++) values[i] = value(i);
    };
    numbers(new Float32Array(memory.buffer, x, ROWS * INPUTS), (i) => ((i * 7919) % 1013) / 500 - 1);
    numbers(new Int8Array(memory.buffer, codes, 4 * words * OUTPUTS), (i) => ((i * 104729) % 113) - 56);
    numbers(new Float32Array(memory.buffer, scales, OUTPUTS), (i) => 1 / (i + 1));
    functions.quantizedRows(x, tiles, ROWS, INPUTS);
    functions.quantizedTotals(codes, totals, INPUTS, OUTPUTS, 0, OUTPUTS);
    functions.quantizedPack(codes, scales, 0, totals, packed, INPUTS, OUTPUTS, 0, OUTPUTS);
    use((fused) => functions.quantizedProduct(tiles, packed, 0, y, ROWS, INPUTS, OUTPUTS, fused ? 1 : 0));
    return new Float32Array(memory.buffer, y, ROWS * OUTPUTS).slice();
  } finally {
    for (const block of blocks) free(block);
  }
}
