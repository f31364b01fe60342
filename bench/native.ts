/** The native side of the comparison: native.cc, compiled with this machine's compiler if it has one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@tensorflow/tfjs-core';

/** Vectors as wide as the processor supports; by default, gcc uses half of an AVX-512 register. */
const FLAGS = ['-O3', '-march=native', '-mprefer-vector-width=512', '-std=c++17'];

/** Input of the program: the sizes and tensors that an algorithm of native.cc reads. */
export interface NativeProblem {
  readonly algorithm: 'scan' | 'tree';
  readonly sizes: readonly number[];
  readonly tensors: readonly Tensor[];
}

export interface NativeTime {
  /** Microseconds per call. */
  readonly us: number;
  /** The sum of all output values, to check that both sides compute the same. */
  readonly checksum: number;
}

/** The compiled program, or why there is none. */
export type Native =
  | {
      run(problem: NativeProblem): NativeTime;
      /** GFLOP/s in 128-bit vectors without fused multiply-add: the upper limit of WebAssembly SIMD. */
      peak(): number;
      /** The path of the program. */
      readonly program: string;
      close(): void;
    }
  | { readonly missing: string };

/** Compiles native.cc. */
export function buildNative(): Native {
  // In this folder, or, if this is the built file of a checkout, among the sources.
  const source = ['./native.cc', '../../bench/native.cc']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  if (!source) return { missing: 'native.cc is not here' };
  if (spawnSync('g++', ['--version']).status !== 0) return { missing: 'no g++ on PATH' };
  const folder = mkdtempSync(join(tmpdir(), 'grootvl-bench-'));
  const program = join(folder, 'native');
  const build = spawnSync('g++', [...FLAGS, source, '-o', program], { encoding: 'utf8' });
  if (build.status !== 0) {
    rmSync(folder, { recursive: true });
    return { missing: `g++ failed: ${build.stderr.split('\n')[0]}` };
  }
  return {
    program,
    run: ({ algorithm, sizes, tensors }) => {
      const problem = join(folder, 'problem');
      const arrays = [Int32Array.from(sizes), ...tensors.map((tensor) => tensor.dataSync())];
      writeFileSync(problem, Buffer.concat(arrays.map((array) => bytesOf(array as Int32Array))));
      return JSON.parse(execFileSync(program, [algorithm, problem], { encoding: 'utf8' })) as NativeTime;
    },
    peak: () => Number(execFileSync(program, ['peak'], { encoding: 'utf8' })),
    close: () => rmSync(folder, { recursive: true }),
  };
}

/** Milliseconds for the program to read the given number of bytes once. */
export function nativeReadMs(program: string, bytes: number): number {
  return Number(execFileSync(program, ['read', `${bytes}`], { encoding: 'utf8' }));
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
