/**
 * GrootL with random weights: prefill compared with its matrix products, a token compared with reading the weights once, and
 * memory compared with the weights. In a separate process, whose memory holds nothing else.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GrootLSizes } from '../converters/architectures/grootl/architecture.js';
import { convertFolder } from '../converters/architectures/grootl/folder.js';
import { writeFolderAtomically } from '../node/atomic_directory.js';
import { sourceDirectory } from '../node/source_directory.js';
import { inProcess, inTemporaryFolder } from './child_process.js';
import { MAMBA_130M, writeMamba } from './random_mamba.js';
import { uniform } from './random_weights.js';

/** What to measure, and how often. */
export interface LanguageModelTask {
  readonly promptTokens: number;
  /** Tokens after the prompt per round. */
  readonly tokens: number;
  readonly rounds: number;
}

/** Times are in milliseconds: medians over rounds, each of which measures everything in turn. */
export interface LanguageModelTimes extends LanguageModelTask {
  readonly parameters: number;
  readonly weightBytes: number;
  /** Time to the first token. */
  readonly prefillMs: number;
  /** Only the matrix products of the prompt, by linear layers with the model's own weights. */
  readonly productMs: number;
  /** GFLOP/s of these products. */
  readonly productRate: number;
  /** Median time of each further token. */
  readonly tokenMs: number;
  /** Time for WebAssembly to read as many bytes as the weights have once, in the memory where they are. */
  readonly readMs: number;
  /** The same in native code. */
  readonly nativeReadMs?: number;
  /** Maximum resident set size of the process since its start, including Node and tfjs. */
  readonly peakBytes: number;
}

const TASK: LanguageModelTask = { promptTokens: 512, tokens: 24, rounds: 5 };

/** The job of the process. */
export interface LanguageModelJob extends LanguageModelTask {
  readonly model: string;
  readonly nativeProgram?: string;
}

/** Measures on the backend wasm. @param nativeProgram that of native.ts, if there is one */
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
  await writeMamba(source, sizes, uniform(1));
  const directory = await sourceDirectory(source);
  try {
    await writeFolderAtomically(model, (sink) => convertFolder(directory, sink));
  } finally {
    await directory.close();
  }
  rmSync(source, { recursive: true });
}
