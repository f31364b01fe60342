/** Models added to the page: detects their kind, reads, validates and stores them. */
import {
  type ConvertOptions,
  convertCheckpoint,
  type FolderConvertOptions,
  filesDirectory,
} from 'tfjs-grootvl/converters';
import type { Draft, ModelStore, StoredModel } from './model_store.js';
import { describeModel, type ModelSummary } from './summary.js';

/** Larger models do not fit in the memory of a page once they run. */
const MAX_FILE_BYTES = 2 * 2 ** 30;
/** A repository's folder has a few dozen. */
const MAX_FILES = 2000;
const MAX_JSON_BYTES = 2 ** 27;
/** Files that may accompany model.json and its shards. */
const BESIDE = [
  'decode.json',
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
];
const SAFE_PATH = /^\w[\w.-]*(\/\w[\w.-]*)*$/;

/** Files by path relative to what was dropped or chosen, or a URL. */
export type IntakeSource =
  | { readonly name: string; readonly files: readonly { readonly path: string; readonly file: File }[] }
  | { readonly url: string };

/** Options chosen by the user, as in `convertCheckpoint`. */
export type IntakeOptions = Pick<
  ConvertOptions,
  'quantize' | 'weights' | 'key' | 'prefix' | 'stemStride' | 'metric' | 'trees' | 'aggregate'
> &
  NonNullable<ConvertOptions['uisMamba']> & {
    readonly scan?: ConvertOptions['scan'] | FolderConvertOptions['scan'];
  };

export type IntakeProgress = (
  stage: 'fetching' | 'reading' | 'writing',
  doneBytes: number,
  totalBytes: number,
) => void;

interface Watch {
  readonly onProgress: IntakeProgress;
  readonly signal: AbortSignal;
}

/**
 * Stores the model in a source, and nothing if that fails.
 * @throws {Error} one line: why the source is not a model, or cannot be stored
 */
export async function takeIn(
  store: ModelStore,
  source: IntakeSource,
  options: IntakeOptions,
  watch: Watch,
): Promise<StoredModel> {
  const write = 'url' in source ? await fetchModel(source.url, watch) : recognize(source);
  watch.signal.throwIfAborted();
  const draft = await store.draft();
  try {
    const model = await write(draft, options, watch);
    watch.signal.throwIfAborted();
    await draft.commit(model);
    return model;
  } finally {
    await draft.end();
  }
}

/** Writes the files of a model whose kind is known. */
type Writer = (draft: Draft, options: IntakeOptions, watch: Watch) => Promise<StoredModel>;

function recognize({ name, files }: Exclude<IntakeSource, { url: string }>): Writer {
  if (files.length === 0) throw new Error(`${name} is empty: expected a checkpoint or the folder of a model`);
  if (files.length > MAX_FILES) {
    throw new Error(`${name} has more than ${MAX_FILES} files: expected the folder of one model`);
  }
  const held = new Map(files.map(({ path, file }) => [path, file]));
  if (held.size < files.length) throw new Error(`two files of ${name} have the same name`);
  const modelJson = held.get('model.json');
  if (modelJson) return convertedModel({ name, modelJson, held, read: async (path) => held.get(path) });
  for (const { path, file } of files) checkSize(path, file.size);
  const [only] = files;
  if (files.length > 1 || only.path === 'config.json') return checkpoint(name, filesDirectory(held, name));
  return checkpoint(name, only.file);
}

function checkSize(name: string, bytes: number): void {
  if (bytes <= MAX_FILE_BYTES) return;
  throw new Error(
    `${name} has ${(bytes / 1e9).toFixed(1)} GB: a page takes files of up to 2 GB, npx tfjs-grootvl convert larger ones`,
  );
}

function checkpoint(name: string, input: File | ReturnType<typeof filesDirectory>): Writer {
  return async (draft, options, { onProgress, signal }) => {
    const kept = new KeptFiles(draft);
    const { useHsw, hswVarphi, poolSize, ...others } = options;
    const all = { ...others, uisMamba: { useHsw, hswVarphi, poolSize }, onProgress, signal };
    const inspection =
      input instanceof Blob
        ? await convertCheckpoint(input, kept, all as ConvertOptions)
        : await convertCheckpoint(input, kept, all);
    const summary = kept.summary(name);
    return { summary, inspection, leftOut: inspection.ignored };
  };
}

/** Access to the files of a converted model. */
interface ModelFiles {
  readonly name: string;
  readonly modelJson: Blob;
  /** Undefined if the file does not exist. */
  read(path: string, watch: Watch): Promise<Blob | undefined>;
  /** The files that exist, if known. */
  readonly held?: ReadonlyMap<string, Blob>;
}

/** A model converted by this package. The content of its files is validated when it is opened. */
function convertedModel({ name, modelJson, read, held = new Map() }: ModelFiles): Writer {
  return async (draft, _options, watch) => {
    const shards = await shardsOf(modelJson);
    const kept = new KeptFiles(draft);
    const expected = [...new Set([...shards, ...BESIDE])];
    const totalBytes = [...held.values()].reduce((sum, { size }) => sum + size, 0);
    for (const path of expected) {
      const file = await read(path, watch);
      watch.signal.throwIfAborted();
      if (!file && shards.includes(path)) {
        throw new Error(`${name}: ${path} is missing, which model.json names`);
      }
      // Hosts of single-page applications serve their index page for unknown names.
      if (!file || (!shards.includes(path) && !(await isJson(file)))) continue;
      checkSize(path, file.size);
      await kept.write(path, await bytesOf(file));
      if (totalBytes > 0) watch.onProgress('writing', kept.bytes, totalBytes);
    }
    await kept.write('model.json', await bytesOf(modelJson));
    const leftOut = [...held.keys()]
      .filter((path) => path !== 'model.json' && !expected.includes(path))
      .map((path) => ({ name: path, reason: 'not a file of the model' }));
    return { summary: kept.summary(name), leftOut };
  };
}

/** @throws {Error} if it is not a model of this package */
async function shardsOf(file: Blob): Promise<string[]> {
  if (file.size > MAX_JSON_BYTES) throw new Error('model.json is larger than any model graph');
  let json: { weightsManifest?: { paths?: unknown }[] };
  try {
    json = JSON.parse(await file.text());
  } catch {
    throw new Error('model.json is not JSON: expected a model that this package has converted');
  }
  describeModel(json);
  const groups = Array.isArray(json?.weightsManifest) ? json.weightsManifest : [];
  const shards = groups.flatMap((group): unknown[] => (Array.isArray(group?.paths) ? group.paths : []));
  for (const path of shards) {
    if (typeof path !== 'string' || path.length > 200 || !SAFE_PATH.test(path)) {
      throw new Error(`model.json names the shard ${JSON.stringify(path)}: expected a plain file name`);
    }
  }
  return shards as string[];
}

async function isJson(file: Blob): Promise<boolean> {
  return (await file.slice(0, 100).text()).trimStart().startsWith('{');
}

async function bytesOf(file: Blob): Promise<Uint8Array> {
  return new Uint8Array(await file.arrayBuffer());
}

/** A sink that counts bytes, and reads the metadata in model.json. */
class KeptFiles {
  bytes = 0;
  private described: ReturnType<typeof describeModel> | undefined;

  constructor(private readonly draft: Draft) {}

  async write(name: string, bytes: Uint8Array): Promise<void> {
    if (name === 'model.json') this.described = describeModel(JSON.parse(new TextDecoder().decode(bytes)));
    await this.draft.write(name, bytes);
    this.bytes += bytes.length;
  }

  summary(name: string): ModelSummary {
    if (!this.described) throw new Error('no model.json was written');
    const title = name.replace(/\.(pth|pt|bin|safetensors|ckpt|tar)$/i, '').slice(0, 80) || 'Model';
    const { bytes, described } = this;
    return { id: this.draft.id, title, ...described, bytes, isBundled: false, savedAt: Date.now() };
  }
}

/** Fetches a checkpoint, or the model.json of a converted model. */
async function fetchModel(text: string, watch: Watch): Promise<Writer> {
  const url = parseUrl(text);
  const file = await fetchFile(url, watch);
  if (!file) throw new Error(`${url}: the server has no such file`);
  const [name = url.host, folder = url.host] = url.pathname.split('/').filter(Boolean).reverse();
  if (!name.endsWith('.json')) return checkpoint(name, new File([file], name));
  return convertedModel({
    name: folder,
    modelJson: file,
    read: (path, reading) => fetchFile(new URL(path + url.search, url), reading),
  });
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new Error(
    `${JSON.stringify(text.slice(0, 200))} is not a URL: expected https://... of a checkpoint or a model.json`,
  );
}

/** Undefined if the server does not have the file. */
async function fetchFile(url: URL, { onProgress, signal }: Watch): Promise<Blob | undefined> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch {
    signal.throwIfAborted();
    throw new Error(
      `${url} cannot be fetched: the server is not reached, or does not let other pages read its files (CORS); ` +
        'download the file and drop it here',
    );
  }
  if (response.status === 404 || response.status === 410) return undefined;
  if (!response.ok || !response.body) throw new Error(`${url}: the server answered ${response.status}`);
  const total = Number(response.headers.get('content-length') ?? 0);
  checkSize(String(url), total);
  let done = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.length;
      checkSize(String(url), done);
      onProgress('fetching', done, Math.max(done, total));
      controller.enqueue(chunk);
    },
  });
  // The browser stores a large Blob on disk.
  return new Response(response.body.pipeThrough(counted, { signal })).blob();
}
