/** The models available in the page, and the open one. */
import bundled from 'virtual:bundled-models';
import { downloadZip } from 'client-zip';
import { type AnyModel, loadModel, type ModelFolder, readFolder } from 'tfjs-grootvl';
import { startBackend } from './backends.js';
import { type IntakeOptions, type IntakeProgress, type IntakeSource, takeIn } from './intake.js';
import { ModelStore, type StoredModel } from './model_store.js';
import type { ModelSummary } from './summary.js';

export type { Family, ModelSummary } from './summary.js';

/** The models that the page can open. */
export interface Library {
  readonly models: readonly ModelSummary[];
  /** Whether added models are kept until the next visit. */
  readonly areKept: boolean;
  /** Bytes stored by this page and its quota; undefined if the browser does not report them. */
  readonly usedBytes?: number;
  readonly allowedBytes?: number;
}

/** Without a model if it could not be loaded. */
let open: { readonly summary: ModelSummary; readonly model?: AnyModel } | undefined;
/** Aborts work in progress on the open model. */
let closing = new AbortController();
let opening: Promise<unknown> = Promise.resolve();
let opened: Promise<ModelStore> | undefined;

function store(): Promise<ModelStore> {
  opened ??= ModelStore.open();
  return opened;
}

/** @throws {Error} if no model is open */
export function openedModel(): AnyModel {
  if (open?.model) return open.model;
  throw new Error('no model is open: choose one from the list');
}

/** @returns a signal that is aborted before the open model is disposed of */
export function modelClosing(): AbortSignal {
  return closing.signal;
}

/** Reloads the open model, as required after a change of backend. */
export async function reopenModel(): Promise<void> {
  if (open) await openModel(open.summary.id);
}

/** Opens a model, replacing the open one, which is kept if that fails. */
function openModel(id: string): Promise<ModelSummary> {
  // Sequentially: each disposes of the previous one.
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
  // Two models at once may not fit in memory.
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

/** Stores a model added by the user: see `takeIn`. */
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
    signal.throwIfAborted(); // whatever error the reader throws
    throw error;
  }
}

/** The conversion report of an added model. */
async function modelReport(id: string): Promise<StoredModel | undefined> {
  return (await store()).find(id);
}

async function renameModel(id: string, title: string): Promise<void> {
  await (await store()).rename(id, title);
}

/** Removes a stored model; it stays open if it is. */
async function deleteModel(id: string): Promise<void> {
  await (await store()).remove(id);
}

/** The files of a model as a zip. */
async function zipModel(id: string): Promise<Blob> {
  const files = await (await store()).files(id);
  return downloadZip([...files].map(([name, input]) => ({ name, input }))).blob();
}

export const calls = { listModels, openModel, addModel, modelReport, renameModel, deleteModel, zipModel };
