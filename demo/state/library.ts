/** The available models, the open one, and one that is being added. */
import { batch, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { IntakeOptions, IntakeProgress, IntakeSource } from '../engine/intake.js';
import type { Library, ModelSummary } from '../engine/library.js';
import type { StoredModel } from '../engine/model_store.js';
import { attempt, call, error, generation } from './engine.js';
import { recall, remember } from './memory.js';

export type { IntakeSource };

/** Opened on the first visit, and if the last one no longer exists. */
const FIRST = 'digits';

export const library = signal<Library | undefined>();
/** The model that is open. */
export const opened = signal<ModelSummary | undefined>();
/** The model that is being added, and its progress. */
export const intake = signal<
  | {
      readonly name: string;
      readonly stage: Parameters<IntakeProgress>[0];
      readonly done: number;
      readonly total: number;
    }
  | undefined
>();
/** The report of an added model, or why it was not added. */
export const report = signal<
  StoredModel | { readonly name: string; readonly refusal: string; readonly source: IntakeSource } | undefined
>();
/** Options for models that are added. */
export const options = signal<IntakeOptions>({ quantize: 'none' });

let stopping: AbortController | undefined;

/** Opens the model of the last visit. */
export async function openFirst(): Promise<void> {
  const last = recall('model') ?? FIRST;
  void refresh();
  if (!(await open(last)) && last !== FIRST) await open(FIRST);
}

/** @returns whether it is open */
export async function open(id: string): Promise<boolean> {
  // A model that crashes the whole tab is not opened on the next visit.
  remember('model', undefined);
  const summary = await attempt('Opening the model', () => call((engine) => engine.openModel(id)));
  if (!summary) return false;
  remember('model', id);
  opened.value = summary;
  return true;
}

/** Reloads the list of models. */
async function refresh(): Promise<void> {
  library.value = await call((engine) => engine.listModels());
}

/** Adds the model in a source, and opens it. */
export async function add(source: IntakeSource): Promise<void> {
  const name = 'url' in source ? source.url : source.name;
  if (stopping) {
    error.value = `${intake.value?.name ?? 'Another model'} is being added: ${name} can be added after it`;
    return;
  }
  const controller = new AbortController();
  stopping = controller;
  batch(() => {
    intake.value = { name, stage: 'url' in source ? 'fetching' : 'reading', done: 0, total: 0 };
    report.value = undefined;
  });
  const onProgress = proxy<IntakeProgress>((stage, done, total) => {
    if (stopping === controller) intake.value = { name, stage, done, total };
  });
  const added = await call((engine) =>
    engine.addModel(source, options.value, onProgress, controller.signal),
  ).catch((reason: Error) => {
    if (reason.name !== 'AbortError') report.value = { name, refusal: reason.message, source };
  });
  stopping = undefined;
  intake.value = undefined;
  if (!added) return;
  const { summary, inspection } = added;
  void askToKeep();
  await refresh();
  if (summary.family !== 'none' && !(await open(summary.id)) && !inspection) {
    // Files of a model that was converted elsewhere are validated when it is first opened.
    const refusal = error.value ?? '';
    await remove(summary.id);
    report.value = { name, refusal, source };
  } else report.value = added;
}

/** Cancels `add`. */
export function cancel(): void {
  stopping?.abort();
}

/** Shows the report of an added model. */
export async function showReport(id: string): Promise<void> {
  report.value = await attempt('Reading the report', () => call((engine) => engine.modelReport(id)));
}

export async function rename(id: string, title: string): Promise<void> {
  await attempt('Renaming the model', async () => {
    await call((engine) => engine.renameModel(id, title));
    await refresh();
  });
  if (opened.value?.id === id) opened.value = { ...opened.value, title };
}

export async function remove(id: string): Promise<void> {
  await attempt('Deleting the model', async () => {
    await call((engine) => engine.deleteModel(id));
    await refresh();
  });
  if (opened.value?.id === id) await open(FIRST);
  const shown = report.value;
  if (shown && 'summary' in shown && shown.summary.id === id) report.value = undefined;
}

/** The files of a model as a zip. */
export function zip(id: string): Promise<Blob | undefined> {
  return attempt('Packing the model', () => call((engine) => engine.zipModel(id)));
}

/** Browsers may evict storage unless they were asked not to; some then ask the user. */
async function askToKeep(): Promise<void> {
  if (recall('asked-to-keep') || !navigator.storage?.persist) return;
  remember('asked-to-keep', 'yes');
  await navigator.storage.persist().catch(() => false);
}

// The open model is lost with its worker.
generation.subscribe((count) => {
  if (count === 0) return;
  opened.value = undefined;
  void refresh();
});
