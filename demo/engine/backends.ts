/** The tfjs backends: which are available, how each is started, and which one is current. Packages are loaded on request. */
import { engine, env, memory, setBackend } from '@tensorflow/tfjs-core';
import { type BackendOn, backendsOn } from 'tfjs-grootvl';
import { webgl, webgpu } from './gpu_backends.js';
import type { Offer, OnLoss, Starter } from './starter.js';
import { wasm } from './wasm_backend.js';

export type BackendName = BackendOn<'page'>;
export type Choice = BackendName | 'auto';

export type BackendOffer = Offer & { readonly name: BackendName };

export interface RunningBackend {
  readonly name: BackendName;
  /** Description of the device. */
  readonly device: string;
}

const PLAIN = 'plain JavaScript, one thread';

const STARTERS: Readonly<Record<BackendName, Starter>> = {
  cpu: {
    offer: () => ({ device: PLAIN }),
    async start() {
      await import('@tensorflow/tfjs-backend-cpu');
      await setBackend('cpu');
      return PLAIN;
    },
  },
  wasm,
  webgl,
  webgpu,
};

let running: Promise<RunningBackend> | undefined;
let tellLoss: OnLoss = () => {};

/** @returns the current backend; the first call starts one */
export function startBackend(choice: Choice = 'auto'): Promise<RunningBackend> {
  return running ?? useBackend(choice);
}

/**
 * Starts a backend and makes it the current one; restarts it if it has lost its GPU. Models have to be reloaded afterwards.
 * @throws {Error} if it does not start; the previous one then remains current
 */
export function useBackend(choice: Choice): Promise<RunningBackend> {
  const before = running;
  const started = (async () => {
    await before?.catch(() => {}); // tfjs starts one at a time
    const previous = engine().backendName;
    try {
      return await (choice === 'auto' ? startFirst(await candidates()) : start(choice));
    } catch (error) {
      if (previous) await setBackend(previous);
      throw error;
    }
  })();
  running = started;
  started.catch(() => {
    if (running === started) running = before;
  });
  return started;
}

async function start(name: BackendName): Promise<RunningBackend> {
  env().set('PROD', true); // no advice on the console
  return { name, device: await STARTERS[name].start((what) => tellLoss(what)) };
}

/**
 * The order in which `auto` tries backends: a software rasteriser is slower than wasm, and WebGL on a GPU has not been measured.
 */
async function candidates(): Promise<BackendName[]> {
  const offer = await webgpu.offer();
  return 'isGpu' in offer && offer.isGpu ? ['webgpu', 'wasm', 'cpu'] : ['wasm', 'cpu'];
}

async function startFirst([name, ...rest]: readonly BackendName[]): Promise<RunningBackend> {
  try {
    return await start(name);
  } catch (error) {
    if (rest.length === 0) throw error;
    return startFirst(rest);
  }
}

/** The available backends, the fastest first. */
async function listBackends(): Promise<BackendOffer[]> {
  const names = backendsOn('page').reverse();
  return Promise.all(names.map(async (name) => ({ name, ...(await STARTERS[name].offer()) })));
}

/** Reports from now on if the current backend loses its GPU. */
async function onBackendLoss(tell: OnLoss): Promise<void> {
  tellLoss = tell;
}

/** Tensors on the current backend, and their bytes. */
async function memoryInUse(): Promise<{ tensors: number; bytes: number }> {
  const { numTensors, numBytes } = memory();
  return { tensors: numTensors, bytes: numBytes };
}

export const calls = { startBackend, listBackends, onBackendLoss, memoryInUse };
