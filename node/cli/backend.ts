/** Starts a tfjs backend by its name on the command line. */
import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { type Command, Option } from 'commander';
import { type BackendOn, backendEntry, backendsOn } from '../../plugin/backends.js';

export const CLI_BACKENDS = backendsOn('node');
export type CliBackend = BackendOn<'node'>;

/** Adds `--backend` to a command. */
export function withBackend(command: Command): Command {
  return command.addOption(
    new Option('--backend <name>', 'where the model runs').choices(CLI_BACKENDS).default('cpu'),
  );
}

/** @throws {Error} when the backend is not there, naming what to install. */
export async function startBackend(name: CliBackend): Promise<void> {
  const { tfjsPackage } = backendEntry(name);
  await import(tfjsPackage).catch(() => {
    throw new Error(`the backend '${name}' needs the package ${tfjsPackage}: npm install ${tfjsPackage}`);
  });
  await import('../../plugin/index.js');
  const kernels = name === 'wasm' ? await wasmKernels() : undefined;
  tf.enableProdMode(); // no advice on other backends, no checks meant for developers of kernels
  // Before tfjs starts the backend: the error says what is missing and what mends it.
  if (name === 'cuda') await (await import('../../gpu/cuda/index.js')).ready();
  if (!(await tf.setBackend(name))) throw new Error(`the backend '${name}' could not be started`);
  await tf.ready();
  await kernels?.ready();
}

/** Our kernels for the wasm backend; a checkout without Emscripten has none, and runs without. */
async function wasmKernels(): Promise<{ ready(): Promise<void> } | undefined> {
  if (existsSync(new URL('../../wasm/kernels.wasm', import.meta.url))) return import('../../wasm/index.js');
  console.error(
    'the kernels for wasm are not built (npm run build says why): stock ops and the CPU stand in',
  );
  return undefined;
}
