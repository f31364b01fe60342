/**
 * The start of tfjs's own `wasm` backend, which our kernels need. tfjs reports a failure only as `setBackend()` resolving to
 * false, and its threaded build may wait forever. Here both become errors that say what to do.
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
 * Only for the threaded build. It sends its own source text to its workers; in a minified bundle the text may refer to names
 * that do not exist there, and the workers then stop without a message.
 */
const START_LIMIT_MS = 20_000;

type Factory = () => KernelBackend | Promise<KernelBackend>;

/** Factories that record how their last start failed, if it did. */
const watched = new WeakMap<Factory, { failure?: Error }>();

/** Makes later starts of the backend, if it is already registered, fail with a reason instead of hanging. */
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
 * Returns tfjs's backend once it runs; undefined if it has not been chosen. Waits for a pending start.
 * @throws {Error} if it is not registered, or its start has failed or hangs.
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
    // A start that failed before it was watched is repeated to get the reason.
    if (!registry[BACKEND] && !outcome.failure) await setBackend(BACKEND);
  }
  if (!registry[BACKEND] && outcome.failure) throw outcome.failure;
  return registry[BACKEND];
}

/** Whether tfjs's backend will choose its threaded build when it is imported. */
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
