/** The page's side of the worker that holds the model: calls, errors, and restarting a worker that has died. */
import { computed, signal } from '@preact/signals';
import { type Remote, wrap } from 'comlink';
import { WORKER_LOST } from '../engine/errors.js';
import { carrySignals } from '../engine/transfer.js';
import type { Engine } from '../engine/worker.js';

/** The error message shown by the page, or undefined. */
export const error = signal<string | undefined>();
/** Actions in progress, the newest last. */
const actions = signal<readonly { readonly what: string }[]>([]);
/** The newest action in progress, or undefined. */
export const busy = computed(() => actions.value.at(-1)?.what);
/** Number of workers so far: what was open in an earlier one is lost. */
export const generation = signal(0);

interface Running {
  readonly worker: Worker;
  readonly remote: Remote<Engine>;
  /** Rejects pending calls. */
  readonly waiting: Set<(reason: Error) => void>;
  hasAnswered: boolean;
}

carrySignals();
let running: Running | undefined;

/** A new instance of the worker. */
export function newWorker(): { readonly worker: Worker; readonly remote: Remote<Engine> } {
  const worker = new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module' });
  return { worker, remote: wrap<Engine>(worker) };
}

function start(): Running {
  const own: Running = { ...newWorker(), waiting: new Set(), hasAnswered: false };
  own.worker.onerror = ({ message }) => {
    const reason = message || 'its script could not be loaded';
    stop(own, new Error(`the worker that holds the model has failed (${reason}); a new one is started`));
  };
  return own;
}

function stop(own: Running, reason: Error): void {
  own.worker.terminate();
  if (running === own) {
    running = undefined;
    // A worker that has never answered, as without a network, is not restarted automatically: the next one might not answer
    // either.
    if (own.hasAnswered) generation.value++;
  }
  for (const reject of own.waiting) reject(reason);
}

/** Calls the worker; the first call starts one. @throws {Error} its error, or that the worker has died */
export async function call<T>(ask: (engine: Remote<Engine>) => T): Promise<Awaited<T>> {
  running ??= start();
  const own = running;
  const { remote, waiting } = own;
  let reject: ((reason: Error) => void) | undefined;
  const failed = new Promise<never>((_, fail) => {
    reject = fail;
    waiting.add(fail);
  });
  try {
    const answer = await Promise.race([ask(remote), failed]);
    own.hasAnswered = true;
    return answer;
  } catch (reason) {
    if ((reason as Error).name === WORKER_LOST) stop(own, reason as Error);
    throw reason;
  } finally {
    if (reject) waiting.delete(reject);
  }
}

/**
 * Runs an action of the user: shows it while in progress, and shows an error if it fails.
 * @returns undefined if it has failed or was stopped
 */
export async function attempt<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
  error.value = undefined;
  const own = { what };
  actions.value = [...actions.value, own];
  try {
    return await action();
  } catch (reason) {
    const { name, message } = reason as Error;
    if (name !== 'AbortError') error.value = message;
    return undefined;
  } finally {
    actions.value = actions.value.filter((action) => action !== own);
  }
}

window.addEventListener('unhandledrejection', ({ reason }) => {
  error.value = reason instanceof Error ? reason.message : String(reason);
});
