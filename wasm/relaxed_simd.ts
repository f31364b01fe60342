/** Whether an engine supports relaxed SIMD, and whether it is enabled. */
import { env } from '@tensorflow/tfjs-core';
import type { Bytes } from './binary_format.js';

/** Memory for trying out instructions. */
export interface Space {
  readonly memory: WebAssembly.Memory;
  allocate(bytes: number): number;
  free(address: number): void;
}

/** A module with one function, which applies `i32x4.relaxed_dot_i8x16_i7x16_add_s` to its parameters. */
const PROBE: Bytes = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // its type
  ...[3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x93, 2, 0x0b],
);

/** Flag of tfjs: whether to use relaxed SIMD if the engine supports it. Read when the first kernel of a backend runs. */
const RELAXED_FLAG = 'GROOTVL_WASM_RELAXED_SIMD';
env().registerFlag(RELAXED_FLAG, () => 1);

let isThere: boolean | undefined;

/** Whether it may be used: the engine supports it, tested by compiling a tiny module, and the flag is not 0. */
export function mayRelax(): boolean {
  if (env().getNumber(RELAXED_FLAG) === 0) return false;
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
