/**
 * The start of tfjs's own `wasm` backend, which our kernels need. tfjs reports a failure only as `setBackend()`
 * resolving to false; its threaded build can also wait for ever. Here both become errors that say what to do.
 */
import {
  engine,
  env,
  findBackendFactory,
  getBackend,
  type KernelBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { reasonOf, whyNothingCompiles } from './module_files.js';

export const BACKEND = 'wasm';

const PACKAGE = '@tensorflow/tfjs-backend-wasm';
/**
 * For the threaded build only. It sends its own source text to its workers; that of a minified bundle may refer to names
 * that are not there: then the workers stop, and nobody tells.
 */
const START_LIMIT_MS = 20_000;

type Factory = () => KernelBackend | Promise<KernelBackend>;

/** Factories that tell how their last start failed, if it did. */
const watched = new WeakMap<Factory, { failure?: Error }>();

/** Makes later starts of the backend, if it is registered by now, fail with a reason instead of hanging. */
export function watchStart(): void {
  const registration = engine().registryFactory[BACKEND];
  if (!registration || watched.has(registration.factory)) return;
  const start = registration.factory;
  const outcome: { failure?: Error } = {};
  registration.factory = async () => {
    outcome.failure = undefined;
    try {
      const limited = await picksThreadedBuild();
      return await (limited ? withinLimit(start()) : start());
    } catch (cause) {
      outcome.failure = startError(cause);
      throw outcome.failure;
    }
  };
  watched.set(registration.factory, outcome);
}

/**
 * tfjs's backend, once it runs; undefined where nobody has chosen it so far. Waits for a start that is under way.
 * @throws {Error} when it is not registered, or its start has failed or hangs
 */
export async function startedBackend(): Promise<KernelBackend | undefined> {
  watchStart();
  const { registry } = engine();
  const outcome = watched.get(findBackendFactory(BACKEND));
  if (!outcome) {
    throw new Error(
      `tfjs-grootvl/wasm: tfjs has no backend 'wasm': import '${PACKAGE}' before ready(), of the same tfjs version ` +
        'and beside the same copy of @tensorflow/tfjs-core as tfjs-grootvl',
    );
  }
  if (!registry[BACKEND] && getBackend() === BACKEND) {
    const { pendingBackendInit } = engine() as unknown as { readonly pendingBackendInit?: Promise<boolean> };
    if (pendingBackendInit) {
      await withinLimit(pendingBackendInit).catch((cause) => {
        outcome.failure ??= startError(cause);
      });
    }
    // A start that failed before it was watched: once more, for the reason.
    if (!registry[BACKEND] && !outcome.failure) await setBackend(BACKEND);
  }
  if (!registry[BACKEND] && outcome.failure) throw outcome.failure;
  return registry[BACKEND];
}

/** Which of its builds tfjs's backend will choose, once it is imported. */
export async function picksThreadedBuild(): Promise<boolean> {
  const flags = ['WASM_HAS_SIMD_SUPPORT', 'WASM_HAS_MULTITHREAD_SUPPORT'];
  const supported = await Promise.all(
    flags.map(async (flag) => {
      try {
        return await env().getAsync(flag);
      } catch {
        return false;
      }
    }),
  );
  return supported.every(Boolean);
}

async function withinLimit<T>(start: T | Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    const message =
      `it has not started within ${START_LIMIT_MS / 1000} s. In a cross-origin isolated page its threads may never ` +
      "start from a minified bundle: tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false) before tf.setBackend('wasm') does without " +
      'them, and so does a bundle in which it is not minified';
    timer = setTimeout(() => reject(new Error(message)), START_LIMIT_MS);
  });
  try {
    return await Promise.race([start, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function startError(cause: unknown): Error {
  const reason = whyNothingCompiles() ?? reasonOf(cause);
  return new Error(
    `tfjs-grootvl/wasm: tfjs's own backend 'wasm' did not start: ${reason}. If its .wasm files were not found: ` +
      `setWasmPaths() of '${PACKAGE}', called before the backend starts, says in which folder or at which URLs they are`,
    { cause },
  );
}
