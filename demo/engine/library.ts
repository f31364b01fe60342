/** The models that the page knows, and the one that is open. */
import bundled from 'virtual:bundled-models';
import { downloadZip } from 'client-zip';
import { type AnyModel, loadModel, type ModelFolder, readFolder } from 'tfjs-grootvl';
import { startBackend } from './backends.js';
import { type IntakeOptions, type IntakeProgress, type IntakeSource, takeIn } from './intake.js';
import { ModelStore, type StoredModel } from './model_store.js';
import type { ModelSummary } from './summary.js';

export type { Family, ModelSummary } from './summary.js';

/** What the page can open. */
export interface Library {
  readonly models: readonly ModelSummary[];
  /** Whether models that are added are there at the next visit. */
  readonly areKept: boolean;
  /** Bytes that this page has stored, and may store; undefined where the browser does not say. */
  readonly usedBytes?: number;
  readonly allowedBytes?: number;
}

/** Without a model where it could not be loaded. */
let open: { readonly summary: ModelSummary; readonly model?: AnyModel } | undefined;
/** Ends what still runs with the open model. */
let closing = new AbortController();
let opening: Promise<unknown> = Promise.resolve();
let opened: Promise<ModelStore> | undefined;

function store(): Promise<ModelStore> {
  opened ??= ModelStore.open();
  return opened;
}

/** @throws {Error} when no model is open */
export function openedModel(): AnyModel {
  if (open?.model) return open.model;
  throw new Error('no model is open: choose one from the list');
}

/** @returns a signal that is aborted before the open model is disposed */
export function modelClosing(): AbortSignal {
  return closing.signal;
}

/** Loads the open model again, as another backend needs it. */
export async function reopenModel(): Promise<void> {
  if (open) await openModel(open.summary.id);
}

/** Opens a model in place of the one that is open, which is kept where that fails. */
function openModel(id: string): Promise<ModelSummary> {
  // One after another: each disposes the one before.
  const next = opening.then(
    () => replaceModel(id),
    () => replaceModel(id),
  );
  opening = next;
  return next;
}

async function replaceModel(id: string): Promise<ModelSummary> {
  await startBackend();
  const { summary, folder } = await find(id);
  const previous = open;
  // Two models at once may not fit into memory.
  open = { summary };
  closing.abort();
  closing = new AbortController();
  previous?.model?.dispose();
  try {
    open = { summary, model: await loadModel(folder) };
  } catch (error) {
    const before = previous?.summary.id;
    if (before !== undefined && before !== id) await replaceModel(before).catch(() => undefined);
    throw error;
  }
  return summary;
}

async function find(id: string): Promise<{ summary: ModelSummary; folder: ModelFolder }> {
  const shipped = bundled.find(({ summary }) => summary.id === id);
  if (shipped) {
    const { summary, files } = shipped;
    return { summary, folder: readFolder(async (file) => (files[file] ? fetched(files[file]) : undefined)) };
  }
  const models = await store();
  const model = await models.find(id);
  if (!model) throw new Error('this model is not here any more');
  return { summary: model.summary, folder: readFolder((file) => models.read(id, file)) };
}

async function fetched(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
  return response.arrayBuffer();
}

async function listModels(): Promise<Library> {
  const models = await store();
  const { usage: usedBytes, quota: allowedBytes } =
    (await navigator.storage?.estimate().catch(() => undefined)) ?? {};
  return {
    models: [...bundled.map(({ summary }) => summary), ...(await models.list())],
    areKept: models.areKept,
    usedBytes,
    allowedBytes,
  };
}

/** Stores what a person has given: see `takeIn`. */
async function addModel(
  source: IntakeSource,
  options: IntakeOptions,
  onProgress: IntakeProgress,
  signal: AbortSignal,
): Promise<StoredModel> {
  let last = 0;
  const onSeldom: IntakeProgress = (stage, done, total) => {
    const now = performance.now();
    if (now - last < 50 && done < total) return;
    last = now;
    onProgress(stage, done, total);
  };
  try {
    return await takeIn(await store(), source, options, { onProgress: onSeldom, signal });
  } catch (error) {
    signal.throwIfAborted(); // however the reader says so
    throw error;
  }
}

/** What is known of a model that was added. */
async function modelReport(id: string): Promise<StoredModel | undefined> {
  return (await store()).find(id);
}

async function renameModel(id: string, title: string): Promise<void> {
  await (await store()).rename(id, title);
}

/** Removes a model from where models are kept; it stays open where it is. */
async function deleteModel(id: string): Promise<void> {
  await (await store()).remove(id);
}

/** The files of a model in a zip. */
async function zipModel(id: string): Promise<Blob> {
  const files = await (await store()).files(id);
  return downloadZip([...files].map(([name, input]) => ({ name, input }))).blob();
}

export const calls = { listModels, openModel, addModel, modelReport, renameModel, deleteModel, zipModel };
