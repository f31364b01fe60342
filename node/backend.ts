/** Starts tfjs backends by name. */
import { existsSync } from 'node:fs';
import { type BackendOn, backendEntry, backendsOn } from '../plugin/backends.js';
import { missingPackage } from './error_line.js';

/** A backend that a command runs on. */
export type StartedBackend = BackendOn<'node'>;
/** Values of `--backend`. */
export type CliBackend = StartedBackend | 'auto';

/** Receives warnings for the user. */
export type Warn = (line: string) => void;

/**
 * Starts a backend, or the fastest available one for `auto`.
 * @returns the name of the started backend
 * @throws {Error} if it is not available, saying what to install
 */
export async function startBackend(name: CliBackend, warn: Warn): Promise<StartedBackend> {
  if (name !== 'auto') return start(name, warn);
  const [reference, ...faster] = backendsOn('node');
  for (const candidate of faster.reverse()) {
    if (isOnDevice(candidate) && !(await hasGpu[candidate]())) continue;
    try {
      return await start(candidate, warn);
    } catch (error) {
      if (missingPackage(error)) throw error; // one that the cpu backend needs too
      warn(`${(error as Error).message} (slower backends are tried instead)`);
    }
  }
  return start(reference, warn);
}

/** Entry points of the backends that need a device. */
const DEVICES = {
  webgpu: () => import('../gpu/webgpu/index.js'),
  cuda: () => import('../gpu/cuda/index.js'),
};

function isOnDevice(name: StartedBackend): name is keyof typeof DEVICES {
  return name in DEVICES;
}

/** Whether `auto` finds a GPU. Software renderers are slow, and only used if the backend is named. */
const hasGpu: Readonly<Record<keyof typeof DEVICES, () => Promise<boolean>>> = {
  cuda: async () => {
    const { openDevice } = await import('../gpu/cuda/backend/load_driver.js');
    try {
      const device = openDevice(0);
      const { kind } = device.description;
      device.close();
      return kind === 'cuda';
    } catch {
      return false;
    }
  },
  webgpu: async () => {
    // Loading Dawn takes time, and without a GPU its driver loader prints to stderr.
    if (process.platform === 'linux' && !LINUX_GPUS.some((path) => existsSync(path))) return false;
    try {
      const { adapterDescription, ready } = await DEVICES.webgpu();
      await ready();
      return !adapterDescription().isFallback;
    } catch {
      return false;
    }
  },
};

/** Whether a model would run on a device other than this machine's CPU. */
export async function runsOnDevice(name: CliBackend): Promise<boolean> {
  if (name !== 'auto') return isOnDevice(name);
  const found = await Promise.all(Object.values(hasGpu).map((has) => has()));
  return found.includes(true);
}

/** Device files of drivers: Mesa and others, NVIDIA, WSL. */
const LINUX_GPUS = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg'];

async function start(name: StartedBackend, warn: Warn): Promise<StartedBackend> {
  const tf = await import('@tensorflow/tfjs-core');
  const { tfjsPackage } = backendEntry(name);
  await import(tfjsPackage).catch((error) => {
    if (!missingPackage(error)) throw error;
    throw new Error(`the backend '${name}' needs the package ${tfjsPackage}: npm install ${tfjsPackage}`);
  });
  // Not the whole plugin: each thread of a pool would load modules that it does not need.
  await Promise.all([import('../plugin/cpu/index.js'), import('../plugin/graph_model.js')]);
  const kernels = name === 'wasm' ? await wasmKernels(warn) : undefined;
  tf.enableProdMode(); // no advice on other backends, and no checks meant for kernel developers
  // Before tfjs starts the backend: this error says what is missing and what to do.
  if (isOnDevice(name)) await (await DEVICES[name]()).ready();
  if (!(await tf.setBackend(name))) throw new Error(`the backend '${name}' could not be started`);
  await tf.ready();
  await kernels?.ready();
  return name;
}

/**
 * Registers the gradients of tfjs's own ops, which training and receptive fields need. They are part of tfjs-core, which does not
 * export them separately in Node.
 * @throws {Error} if the package that registers them is not installed
 */
export async function registerGradients(): Promise<void> {
  await import('@tensorflow/tfjs').catch((error) => {
    if (!missingPackage(error)) throw error;
    throw new Error('gradients need the package @tensorflow/tfjs: npm install @tensorflow/tfjs');
  });
}

/** The plugin's kernels for the wasm backend; a checkout built without Emscripten runs without them. */
async function wasmKernels(warn: Warn): Promise<{ ready(): Promise<void> } | undefined> {
  if (existsSync(new URL('../wasm/kernels.wasm', import.meta.url))) return import('../wasm/index.js');
  warn(
    'the kernels for wasm are not built (npm run build says why): built-in ops and the CPU are used instead',
  );
  return undefined;
}
