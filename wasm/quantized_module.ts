/**
 * Which build of the products of whole numbers runs: that for relaxed SIMD, where the engine has it and it gives what the
 * other one gives, or the one that every engine has.
 */
import { env } from '@tensorflow/tfjs-core';
import type { Bytes } from './binary_format.js';
import type { WasmFileName } from './module_files.js';

/** Of quantized_product.as.ts. */
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

/** A module with one function, `i32x4.relaxed_dot_i8x16_i7x16_add_s` of its parameters. */
const PROBE: Bytes = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // its type
  ...[3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x93, 2, 0x0b],
);

/** Flag of tfjs: relaxed SIMD, where the engine has it. Read when the first kernel of a backend runs. */
const RELAXED_FLAG = 'GROOTVL_WASM_RELAXED_SIMD';
env().registerFlag(RELAXED_FLAG, () => 1);

let isThere: boolean | undefined;

/** Whether the engine has relaxed SIMD, found out by making a tiny module that needs it. */
export function hasRelaxedSimd(): boolean {
  if (isThere === undefined) {
    try {
      new WebAssembly.Instance(new WebAssembly.Module(PROBE));
      isThere = true;
    } catch {
      isThere = false;
    }
  }
  return isThere;
}

/** Sizes of what is compared: panels and tiles that are full and that are not, and enough for a measurement. */
const ROWS = 30;
const INPUTS = 148;
const OUTPUTS = 44;

interface Space {
  readonly memory: WebAssembly.Memory;
  allocate(bytes: number): number;
  free(address: number): void;
}

function isAsked(): boolean {
  return env().getNumber(RELAXED_FLAG) !== 0 && hasRelaxedSimd();
}

/** The files that have to be loaded for this engine. */
export function productFiles(): WasmFileName[] {
  return isAsked() ? [PLAIN, RELAXED] : [PLAIN];
}

/**
 * The module for this engine. That for relaxed SIMD is taken only if it gives the same bits as the other one: before they
 * were released, engines had these instructions behind a flag, with errors of their own.
 */
export function productModule(
  moduleOf: (file: WasmFileName) => WebAssembly.Module,
  space: Space,
): WebAssembly.Module {
  const plain = moduleOf(PLAIN);
  if (!isAsked()) return plain;
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

/** Whether the relaxed instruction that multiplies and adds is the faster way: measured when it is first asked for. */
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

/** A product of fixed numbers. `use` runs it as often as it likes. @returns the result */
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
    use((fused) => functions.quantizedProduct(tiles, packed, y, ROWS, INPUTS, OUTPUTS, fused ? 1 : 0));
    return new Float32Array(memory.buffer, y, ROWS * OUTPUTS).slice();
  } finally {
    for (const block of blocks) free(block);
  }
}
