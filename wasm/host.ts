/** Our modules inside a tfjs backend: one host per backend, created when the first kernel runs. */
import type { KernelBackend } from '@tensorflow/tfjs-core';
import { PerTensorCache } from '../plugin/kernels/per_tensor_cache.js';
import type { CallRecorder } from './call_recorder.js';
import type { WasmFunctions } from './functions.js';
import { beforeDisposal, copyingHeap, type Heap, heapOfBackend, refuseWithoutMemory } from './heap.js';
import { shareClones } from './identity.js';
import { type Exports, instanceBytes, instantiateKernels, type KernelModules } from './instantiate.js';
import { loadModule, type MemoryKind, moduleNow } from './module_files.js';
import { productFiles, productModule, type QuantizedFunctions } from './quantized_module.js';
import { bestRelaxed } from './relaxed_kernels.js';
import { mayRelax } from './relaxed_simd.js';
import { picksThreadedBuild, startedBackend } from './tfjs_start.js';
import { Threads } from './threads.js';

/** Kernels and the memory they run in. */
export interface Host {
  readonly heap: Heap;
  readonly exports: Exports;
  readonly threads: Threads;
  /** Whether float32 products use relaxed SIMD. */
  readonly isRelaxed: boolean;
  /** Addresses of blocks that belong to tensors. Missing if tensors are copied. */
  readonly cache?: PerTensorCache<number>;
  /** Notes the calls of kernels while a computation is recorded. */
  recording?: CallRecorder;
}

const hosts = new WeakMap<KernelBackend, Host>();

/** Returns the host of a backend whose kernels have already run. */
export function knownHost(backend: KernelBackend): Host | undefined {
  return hosts.get(backend);
}

/**
 * Returns the host of a backend. Synchronous: modules are compiled in advance (`ready()`), or immediately where that is
 * possible.
 * @throws {Error} that says to await `ready()` where it is not.
 */
export function hostOf(backend: KernelBackend): Host {
  const known = hosts.get(backend);
  if (known) return known;
  const host = hostInPlace(backend) ?? hostThatCopies(backend);
  hosts.set(backend, host);
  return host;
}

/**
 * Resolves when the kernels of this entry point can run, and their threads have started. It may be called before or after
 * `tf.setBackend('wasm')`, and does not choose or start the backend itself.
 * @throws {Error} if the backend `wasm` is not registered, if it did not start after `tf.setBackend('wasm')`, and if the
 *   kernels cannot be loaded or compiled; each message says what to do.
 */
export async function ready(): Promise<void> {
  const backend = await startedBackend();
  const heap = backend ? heapOfBackend(backend) : undefined;
  const memory = heap ? kindOf(heap.memory) : !backend && (await picksThreadedBuild()) ? 'shared' : 'plain';
  const relaxed = mayRelax() ? (['kernels_relaxed.wasm'] as const) : [];
  const files = ['kernels.wasm', ...relaxed, 'boruvka.wasm', ...productFiles()] as const;
  await Promise.all(files.map((file) => loadModule(file, memory)));
  if (backend) await hostOf(backend).threads.settled();
}

/**
 * Whether products and convolutions use relaxed SIMD on a backend: in float32, where results differ in their last bits, and
 * with 8-bit weights, where they do not.
 */
export function usesRelaxedSimd(backend: KernelBackend): Readonly<Record<'float32' | 'int8', boolean>> {
  const { exports, isRelaxed } = hostOf(backend);
  const { quantizedIsRelaxed } = exports as unknown as QuantizedFunctions;
  return { float32: isRelaxed, int8: quantizedIsRelaxed() !== 0 };
}

function kindOf({ buffer }: WebAssembly.Memory): MemoryKind {
  return typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer ? 'shared' : 'plain';
}

function hostInPlace(backend: KernelBackend): Host | undefined {
  const heap = heapOfBackend(backend);
  if (!heap) return undefined;
  try {
    const host = hostOn(heap);
    refuseWithoutMemory(backend);
    shareClones();
    beforeDisposal(backend, () => host.threads.end());
    return { ...host, cache: new PerTensorCache(backend, heap.free) };
  } catch (error) {
    if (error instanceof WebAssembly.LinkError) return undefined; // another kind of memory
    throw error;
  }
}

function hostThatCopies(backend: KernelBackend): Host {
  const host = hostOn(copyingHeap(backend));
  console.warn(
    "tfjs-grootvl/wasm: the memory of tfjs's wasm backend cannot be reached in this version; tensors are copied to " +
      'a memory of our own and back in every kernel.',
  );
  return host;
}

function hostOn(heap: Heap): Host {
  const kind = kindOf(heap.memory);
  const baseline: KernelModules = {
    kernels: moduleNow('kernels.wasm', kind),
    graph: moduleNow('boruvka.wasm', kind),
    products: productModule((file) => moduleNow(file, kind), heap),
  };
  const block = heap.allocate(instanceBytes(baseline));
  const start = (modules: KernelModules) => ({
    modules,
    exports: instantiateKernels(modules, heap.memory, block),
  });
  const plain = start(baseline);
  const ways = (mayRelax() ? [false, true] : []).map((hasTallTiles) =>
    start({ ...baseline, relaxed: { module: moduleNow('kernels_relaxed.wasm', kind), hasTallTiles } }),
  );
  const best = bestRelaxed(
    functionsOf(plain.exports),
    ways.map(({ exports }) => functionsOf(exports)),
    heap,
  );
  const { modules, exports } = best === undefined ? plain : ways[best];
  const isRelaxed = best !== undefined;
  return { heap, exports, isRelaxed, threads: new Threads(heap, exports, modules) };
}

function functionsOf(exports: Exports): WasmFunctions {
  return exports as unknown as WasmFunctions;
}
