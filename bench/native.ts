/** The native side of the comparison: native.cc, built by the machine's own compiler when there is one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StageTensors } from './stages.js';

/** Vectors as wide as the processor has them; gcc takes half of an AVX-512 register unless told. */
const FLAGS = ['-O3', '-march=native', '-mprefer-vector-width=512', '-std=c++17'];

/** Microseconds of a native call. */
export interface NativeTimes {
  readonly treeUs: number;
  readonly scanUs: number;
  /** Sum of the scan's output, so that both sides can be seen to have done the same. */
  readonly checksum: number;
  /** GFLOP/s in 128-bit vectors without fused multiply-add: the ceiling of WebAssembly SIMD. */
  readonly peak: number;
}

/** The built program, or why there is none. */
export type Native =
  | {
      readonly run: (tensors: StageTensors) => NativeTimes;
      /** The path of the program. */
      readonly program: string;
      close(): void;
    }
  | { readonly missing: string };

/** Builds native.cc. */
export function buildNative(): Native {
  // Beside this file, or, when this is the built file of a checkout, in the sources.
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
    run: ({ x, decay, samples, edges }) => {
      const problem = join(folder, 'problem');
      const sizes = Int32Array.of(x.shape[1], x.shape[2], edges.shape[0], samples.length);
      const values = [x, decay, ...samples, edges].map((tensor) => tensor.dataSync());
      writeFileSync(problem, Buffer.concat([sizes, ...values].map((array) => Buffer.from(array.buffer))));
      return JSON.parse(execFileSync(program, [problem], { encoding: 'utf8' })) as NativeTimes;
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

/** Milliseconds in which the program reads so many bytes of memory once. */
export function nativeReadMs(program: string, bytes: number): number {
  return Number(execFileSync(program, ['read', `${bytes}`], { encoding: 'utf8' }));
}
