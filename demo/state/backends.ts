/** The backends: which are available, which is current, and recovery from the loss of its GPU. */
import { effect, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { BackendOffer, Choice, RunningBackend } from '../engine/backends.js';
import { attempt, busy, call, error, generation } from './engine.js';
import { lookAgain } from './look.js';

/** The fastest first. */
export const offers = signal<readonly BackendOffer[]>([]);
export const choice = signal<Choice>('auto');
export const running = signal<RunningBackend | undefined>();
/** Tensors of the model and the page, and their bytes. */
export const memory = signal<{ readonly tensors: number; readonly bytes: number } | undefined>();

/** Changes the backend, and repeats on it what is shown. */
export async function choose(name: Choice): Promise<boolean> {
  const started = await attempt('Starting the backend', () => call((engine) => engine.switchBackend(name)));
  if (!started) return false;
  choice.value = name;
  running.value = started;
  await lookAgain();
  return true;
}

/** Restarts the backend; if it does not start, starts the one that `auto` finds. */
async function recover(what: string): Promise<void> {
  const lost = running.value?.name;
  const isBack = (await choose(choice.value)) || (await choose('auto'));
  if (isBack) error.value = `${lost}: ${what}; the page goes on with ${running.value?.name}, started anew`;
}

// Each worker starts its own backend.
effect(() => {
  generation.value;
  running.value = undefined;
  void (async () => {
    await call((engine) => engine.onBackendLoss(proxy((what) => void recover(what))));
    running.value = await call((engine) => engine.startBackend(choice.peek()));
    offers.value = await call((engine) => engine.listBackends());
  })();
});

// Memory changes with every action.
effect(() => {
  if (busy.value !== undefined || !running.value) return;
  void (async () => {
    memory.value = await call((engine) => engine.memoryInUse());
  })();
});
