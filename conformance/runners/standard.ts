/** The backends known to this package, by name. How their packages are loaded depends on the environment. */
import {
  backend as currentBackend,
  env,
  type KernelBackend,
  setBackend,
  version_core,
} from '@tensorflow/tfjs-core';
import { type BackendName, backendEntry } from '../../plugin/backends.js';
import { type Backend, BackendMissing } from '../backend.js';
import { defineBackend } from '../define_backend.js';
import type { Target } from './targets.js';

/** An entry point of this package for a backend. */
export interface KernelEntry {
  ready(): Promise<void>;
  /** For `cuda`. */
  deviceDescription?(): { readonly kind: string; readonly name: string; readonly driverVersion: string };
  /** For `wasm`, like the next one. */
  setThreads?(count: number | 'auto'): Promise<void>;
  getThreads?(): { readonly count: number; readonly reason?: string };
  usesRelaxedSimd?(backend: KernelBackend): Readonly<Record<'float32' | 'int8', boolean>>;
  /** For `webgpu`, like the next one. */
  startWebgpu?(options: { readonly dawn: readonly string[] }): Promise<unknown>;
  adapterDescription?(): { readonly name: string; readonly isFallback: boolean };
}

export interface Loaders {
  /** Imports tfjs's package for a backend. @throws {BackendMissing} */
  stock(backend: BackendName): Promise<void>;
  /** Imports this package's kernels for it; undefined if there are none. */
  kernels(backend: BackendName): Promise<KernelEntry | undefined>;
  /** Appended to the device description. */
  readonly where: string;
  /** See `compileFewerShaders`. */
  readonly fewerShaders?: boolean;
}

/** @param target whose name, by default that of the backend, is used in reports */
export function standardBackend(
  backend: BackendName,
  loaders: Loaders,
  { name = backend, flags = {}, threads }: Partial<Pick<Target, 'name' | 'flags' | 'threads'>> = {},
): Backend {
  const before = new Map<string, number>();
  return defineBackend({
    name,
    tfjs: backend,
    tolerance: backendEntry(backend).tolerance,
    start: async () => {
      await loaders.stock(backend);
      const entry = await loaders.kernels(backend);
      // Before tfjs starts the backend, whose error would say less about what is missing.
      if (backendEntry(backend).needsDevice) await deviceIsThere(backend, entry);
      for (const [flag, value] of Object.entries(flags)) {
        before.set(flag, env().getNumber(flag));
        env().set(flag, value);
      }
      if (backend === 'webgl' && loaders.fewerShaders) compileFewerShaders();
      if (!(await setBackend(backend)))
        throw new BackendMissing(`tfjs could not start its backend '${backend}'`);
      await entry?.ready();
      if (threads) await entry?.setThreads?.(threads);
      return `${await describe(backend, entry)} ${loaders.where}, tfjs ${version_core}`;
    },
    stop: async () => {
      for (const [flag, value] of before) env().set(flag, value);
    },
  });
}

/** @throws {BackendMissing} with the backend's message, which says what is missing and how to fix it */
async function deviceIsThere(backend: BackendName, entry: KernelEntry | undefined): Promise<void> {
  if (!entry) throw new BackendMissing(`tfjs-grootvl/${backend} is not there`);
  try {
    await entry.ready();
  } catch (error) {
    const { name, message } = error as Error;
    throw /^\w+UnavailableError$/.test(name) ? new BackendMissing(message) : error;
  }
}

async function describe(backend: BackendName, entry: KernelEntry | undefined): Promise<string> {
  if (entry?.deviceDescription) {
    const { kind, name, driverVersion } = entry.deviceDescription();
    return kind === 'cuda' ? `CUDA ${driverVersion}, ${name}` : kind;
  }
  if (entry?.adapterDescription) {
    const { name, isFallback } = entry.adapterDescription();
    return `WebGPU, ${name}${isFallback ? ' (software)' : ''}`;
  }
  if (backend === 'cpu') return 'plain JavaScript';
  if (backend === 'wasm') {
    const simd = await env().getAsync('WASM_HAS_SIMD_SUPPORT');
    const { count = 1 } = entry?.getThreads?.() ?? {};
    const threads = count > 1 ? `${count} threads` : 'one thread';
    const relaxed = Object.entries(entry?.usesRelaxedSimd?.(currentBackend()) ?? {}).flatMap(
      ([type, isRelaxed]) => (isRelaxed ? [`, relaxed SIMD for ${type}`] : []),
    );
    return `WebAssembly${simd ? ', SIMD' : ''}${relaxed.join('')}, ${threads}`;
  }
  if (backend === 'webgl') {
    const shapes = env().getBool(SHAPES_AS_UNIFORMS) ? ', shapes as uniforms' : '';
    return `WebGL ${env().getNumber('WEBGL_VERSION')}, ${webglRenderer() ?? 'unknown renderer'}${shapes}`;
  }
  return backend;
}

/** A tfjs flag: its shaders take shapes as uniforms where possible, instead of one shader for every shape. */
export const SHAPES_AS_UNIFORMS = 'WEBGL_USE_SHAPES_UNIFORMS';

/** With a software renderer, small cases spend nearly all of their time compiling shaders: tests then set tfjs's flag. */
export function compileFewerShaders(): void {
  if (/SwiftShader|llvmpipe|softpipe/i.test(webglRenderer() ?? '')) env().set(SHAPES_AS_UNIFORMS, true);
}

/** The renderer's name, in pages with WebGL. */
export function webglRenderer(): string | undefined {
  if (typeof document === 'undefined') return undefined;
  const gl = document.createElement('canvas').getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const name = info ? gl?.getParameter(info.UNMASKED_RENDERER_WEBGL) : undefined;
  gl?.getExtension('WEBGL_lose_context')?.loseContext(); // pages have few contexts; release this one
  return typeof name === 'string' ? name : undefined;
}
