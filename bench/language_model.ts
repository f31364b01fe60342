/**
 * GrootL with random weights: reading a prompt against its matrix products, a token against reading the weights once,
 * and memory against the weights. In a process of its own, whose memory holds nothing else.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GrootLSizes } from '../converters/architectures/grootl/architecture.js';
import { convertFolder } from '../converters/architectures/grootl/folder.js';
import { writeFolderAtomically } from '../node/atomic_directory.js';
import { sourceDirectory } from '../node/source_directory.js';
import { inProcess, inTemporaryFolder } from './child_process.js';
import { MAMBA_130M, writeRandomMamba } from './random_mamba.js';

/** What is measured, and how often. */
export interface LanguageModelTask {
  readonly promptTokens: number;
  /** Tokens after the prompt in a round. */
  readonly tokens: number;
  readonly rounds: number;
}

/** Milliseconds are medians over rounds, in each of which everything has its turn. */
export interface LanguageModelTimes extends LanguageModelTask {
  readonly parameters: number;
  readonly weightBytes: number;
  /** Until the first token. */
  readonly prefillMs: number;
  /** The matrix products of the prompt alone, by linear layers, with the model's own weights. */
  readonly productMs: number;
  /** GFLOP/s of those. */
  readonly productRate: number;
  /** Of every further token, the median of all. */
  readonly tokenMs: number;
  /** As many bytes as the weights have, read once by WebAssembly in the memory where they are. */
  readonly readMs: number;
  /** The same in native code. */
  readonly nativeReadMs?: number;
  /** The largest resident set of the process, from its start, with Node and tfjs. */
  readonly peakBytes: number;
}

const TASK: LanguageModelTask = { promptTokens: 512, tokens: 24, rounds: 5 };

/** Where the process finds what it needs. */
export interface LanguageModelJob extends LanguageModelTask {
  readonly model: string;
  readonly nativeProgram?: string;
}

/** Measures on the backend wasm. @param nativeProgram that of native.ts, where there is one. */
export async function benchLanguageModel(
  nativeProgram: string | undefined,
  sizes: GrootLSizes = MAMBA_130M,
  task: LanguageModelTask = TASK,
): Promise<LanguageModelTimes> {
  return inTemporaryFolder(async (folder) => {
    const model = join(folder, 'model');
    await convertRandom(join(folder, 'source'), model, sizes);
    return inProcess('language_model', { ...task, model, nativeProgram } satisfies LanguageModelJob);
  });
}

async function convertRandom(source: string, model: string, sizes: GrootLSizes): Promise<void> {
  mkdirSync(source);
  await writeRandomMamba(source, sizes);
  const directory = await sourceDirectory(source);
  try {
    await writeFolderAtomically(model, (sink) => convertFolder(directory, sink));
  } finally {
    await directory.close();
  }
  rmSync(source, { recursive: true });
}
