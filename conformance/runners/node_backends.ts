/** The backends of Node. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { backendEntry } from '../../plugin/backends.js';
import { BackendMissing } from '../backend.js';
import { DAWN_OPTIONS, softwareVulkan } from './software_vulkan.js';
import type { KernelEntry, Loaders } from './standard.js';

export const nodeLoaders: Loaders = {
  where: `in Node ${typeof process === 'undefined' ? '' : process.versions.node}`,
  stock: async (backend) => {
    await registerStockGradients();
    const { platforms, tfjsPackage } = backendEntry(backend);
    if (!platforms.includes('node'))
      throw new BackendMissing(`${backend} needs a page: it is run in Chromium`);
    if (!(await importIfPresent(tfjsPackage))) throw new BackendMissing(`${tfjsPackage} is not installed`);
  },
  kernels: async (backend) => {
    // Sources and builds have the same folders.
    const module = import.meta.resolve(`../../${backendEntry(backend).module}.js`);
    const entry = (await importIfPresent(module)) as KernelEntry | undefined;
    if (backend === 'cuda' && entry) await emulateWithoutGpu(entry);
    if (backend === 'webgpu' && entry) await standInForGpu(entry);
    return entry;
  },
};

/**
 * Without a GPU, the kernels of `cuda` run emulated on the CPU, if a checkout has built the emulation; the report names the
 * device. `GROOTVL_CUDA=device` requires a GPU.
 */
async function emulateWithoutGpu(entry: KernelEntry): Promise<void> {
  if (process.env.GROOTVL_CUDA) return;
  try {
    await entry.ready();
  } catch {
    process.env.GROOTVL_CUDA = 'emulation';
    // Neither is available: the error of the device says what is missing.
    await entry.ready().catch(() => delete process.env.GROOTVL_CUDA);
  }
}

/** Without a GPU, `webgpu` runs on a software driver if there is one; the report names the adapter. */
async function standInForGpu(entry: KernelEntry): Promise<void> {
  try {
    await softwareVulkan(async () => entry.startWebgpu?.({ dawn: DAWN_OPTIONS }));
  } catch {
    // ready() reports what is missing.
  }
}

/** The gradients of tfjs's own ops are part of the tfjs union package; without it gradient cases are skipped. */
async function registerStockGradients(): Promise<void> {
  await import('@tensorflow/tfjs').catch(ignoreMissing);
}

/** A module, or undefined if it does not exist; a broken module throws. */
async function importIfPresent(specifier: string): Promise<unknown> {
  if (specifier.startsWith('file:')) {
    const path = fileURLToPath(specifier);
    // In a checkout the file is TypeScript, and a loader maps its name.
    const present = existsSync(path) || existsSync(path.replace(/\.js$/, '.ts'));
    return present ? import(specifier) : undefined;
  }
  return import(specifier).catch(ignoreMissing);
}

/** By error code: Plug'n'Play has its own messages. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' && error.code !== 'MODULE_NOT_FOUND') throw error;
}
