/** HuggingFace folders of language models among the case files, converted and run on the backend under test. */
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import { io } from '@tensorflow/tfjs-core';
import { convertFolder } from '../../converters/architectures/grootl/folder.js';
import { MemorySink } from '../../converters/graph/model_sink.js';
import type { Quantization } from '../../converters/graph/quantize.js';
import type { SourceDirectory } from '../../converters/huggingface/source_directory.js';
import { GrootL } from '../../plugin/models/grootl.js';
import type { GrootLArchitecture, GrootLMetadata } from '../../plugin/models/grootl_metadata.js';
import type { ModelFolder } from '../../plugin/models/model_files.js';
import { type CaseFolder, inFolder, readJson } from './case_folder.js';
import { GraphUnderTest } from './graph_under_test.js';

export type Scan = GrootLArchitecture['scan'];

/** The name of a model with this scan. */
export function familyOf(scan: Scan): GrootLArchitecture['name'] {
  return scan === 'tree' ? 'GrootL' : 'Mamba';
}

/** Weight files of a folder, all with the same values. */
const WEIGHTS = [
  'model.safetensors',
  'pytorch_model.bin',
  'model.safetensors.index.json',
  'pytorch_model.bin.index.json',
];
const ADAPTER_WEIGHTS = ['adapter_model.safetensors', 'adapter_model.bin'];

/** A folder with one of its weight files, with or without an adapter. Converted once for all backends. */
export class LanguageCheckpoint {
  private readonly converted = new Map<Scan, Promise<MemorySink>>();

  constructor(
    /** The weight file of the model or of the adapter. */
    readonly name: string,
    private readonly directory: SourceDirectory,
    private readonly lora?: SourceDirectory,
    private readonly quantize?: Quantization,
  ) {}

  /** The same with 8-bit weights. */
  inInt8(): LanguageCheckpoint {
    return new LanguageCheckpoint(this.name, this.directory, this.lora, 'int8');
  }

  /** Loads the prefill graph on the current backend, and disposes of it afterwards. */
  async useGraph<T>(
    scan: Scan,
    body: (graph: GraphUnderTest, metadata: GrootLMetadata) => Promise<T>,
  ): Promise<T> {
    return this.useGraphs(scan, ({ graph, model }) => body(graph, model.metadata as GrootLMetadata));
  }

  /** Loads the prefill and the decode graph, each with its own weights. */
  async useDecoder<T>(scan: Scan, body: (prefill: GraphModel, decode: GraphModel) => Promise<T>): Promise<T> {
    return this.useGraphs(scan, async ({ model, artifacts, sink }) => {
      const text = new TextDecoder().decode(sink.files.get('decode.json'));
      const { modelTopology, signature } = JSON.parse(text);
      const decode = await loadGraphModel(io.fromMemory({ ...artifacts, modelTopology, signature }));
      try {
        return await body(model, decode);
      } finally {
        decode.dispose();
      }
    });
  }

  /** Loads the model through the public API, and disposes of it afterwards. */
  async useModel<T>(scan: Scan, body: (model: GrootL) => Promise<T>): Promise<T> {
    const model = await GrootL.load(filesOf(await this.sink(scan)));
    try {
      return await body(model);
    } finally {
      model.dispose();
    }
  }

  private async useGraphs<T>(
    scan: Scan,
    body: (loaded: {
      graph: GraphUnderTest;
      model: GraphModel;
      artifacts: io.ModelArtifacts;
      sink: MemorySink;
    }) => Promise<T>,
  ): Promise<T> {
    const sink = await this.sink(scan);
    const artifacts = sink.artifacts() as io.ModelArtifacts;
    const model = await loadGraphModel(io.fromMemory(artifacts));
    const { node } = artifacts.modelTopology as { node: { name: string }[] };
    try {
      const graph = new GraphUnderTest(model, new Set(node.map(({ name }) => name)));
      return await body({ graph, model, artifacts, sink });
    } finally {
      model.dispose();
    }
  }

  private sink(scan: Scan): Promise<MemorySink> {
    let sink = this.converted.get(scan);
    if (!sink) {
      sink = this.convert(scan);
      this.converted.set(scan, sink);
    }
    return sink;
  }

  private async convert(scan: Scan): Promise<MemorySink> {
    const sink = new MemorySink();
    await convertFolder(this.directory, sink, { scan, lora: this.lora, quantize: this.quantize });
    return sink;
  }
}

function filesOf(sink: MemorySink): ModelFolder {
  const handler = io.fromMemory(sink.artifacts() as io.ModelArtifacts);
  return Object.assign(handler, {
    async readText(file: string) {
      const bytes = sink.files.get(file);
      return bytes && new TextDecoder().decode(bytes);
    },
  });
}

/** Files of expected values for the same model share its conversions. */
const known = new WeakMap<CaseFolder, Map<string, LanguageCheckpoint>>();

function shared(folder: CaseFolder, key: string, make: () => LanguageCheckpoint): LanguageCheckpoint {
  const checkpoints = known.get(folder) ?? new Map<string, LanguageCheckpoint>();
  known.set(folder, checkpoints);
  const checkpoint = checkpoints.get(key) ?? make();
  checkpoints.set(key, checkpoint);
  return checkpoint;
}

/** The model in a folder of this name, wherever it is, with its first weight file. */
export async function checkpointNamed(
  name: string,
  folder: CaseFolder,
): Promise<LanguageCheckpoint | undefined> {
  for (const path of folder.paths.filter((path) => `/${path}`.endsWith(`/${name}/config.json`))) {
    const [checkpoint] = await checkpointsAt(inFolder(path, ''), folder);
    if (checkpoint) return checkpoint;
  }
  return undefined;
}

/** The model in a folder and in its immediate subfolders, with each weight file. */
export async function checkpointsAt(directory: string, folder: CaseFolder): Promise<LanguageCheckpoint[]> {
  const found: LanguageCheckpoint[] = [];
  for (const path of folder.paths.filter((path) => /(^|\/)config\.json$/.test(path))) {
    const place = path.slice(0, -'config.json'.length);
    const below = place.startsWith(directory) ? place.slice(directory.length) : undefined;
    if (below === undefined || !/^([^/]+\/)?$/.test(below) || !isMamba(await readJson(folder, path)))
      continue;
    for (const weights of WEIGHTS.filter((file) => folder.paths.includes(place + file))) {
      await useWeights(folder, place, weights);
      const name = below + weights;
      found.push(
        shared(folder, place + weights, () => {
          return new LanguageCheckpoint(name, oneForm(folder, place, WEIGHTS, weights));
        }),
      );
    }
  }
  return found;
}

/**
 * The adapter in a folder, with each weight file, merged into the model that its configuration names.
 * @throws {Error} if this model is not among the files
 */
export async function adaptersAt(directory: string, folder: CaseFolder): Promise<LanguageCheckpoint[]> {
  const base = await baseOf(directory, folder);
  const place = base.path.slice(0, base.path.lastIndexOf('/') + 1);
  return ADAPTER_WEIGHTS.filter((file) => folder.paths.includes(directory + file)).map((weights) => {
    folder.use(directory + weights);
    return shared(folder, directory + weights, () => {
      const lora = oneForm(folder, directory, ADAPTER_WEIGHTS, weights);
      return new LanguageCheckpoint(weights, oneForm(folder, place, WEIGHTS, base.weights), lora);
    });
  });
}

/**
 * The adapter on a model whose output head is not tied to the embeddings, and so keeps its own weights.
 * @throws {Error} if no weight file of the model has a separate head
 */
export async function adapterBesideHead(directory: string, folder: CaseFolder): Promise<LanguageCheckpoint> {
  const base = await baseOf(directory, folder);
  const place = base.path.slice(0, base.path.lastIndexOf('/') + 1);
  const weights = 'pytorch_model.bin';
  if (!folder.paths.includes(place + weights)) {
    throw new Error(
      `${place || 'the folder'} has no ${weights}, which may hold an output head beside the embeddings`,
    );
  }
  const [adapter] = ADAPTER_WEIGHTS.filter((file) => folder.paths.includes(directory + file));
  const config = { ...((await readJson(folder, base.path)) as object), tie_word_embeddings: false };
  const text = new TextEncoder().encode(JSON.stringify(config));
  const model = oneForm(folder, place, WEIGHTS, weights);
  return shared(folder, `${directory} head apart`, () => {
    const untied: SourceDirectory = {
      name: model.name,
      open: async (file) => {
        if (file !== 'config.json') return model.open(file);
        return { name: file, size: text.length, read: async (at, length) => text.subarray(at, at + length) };
      },
    };
    return new LanguageCheckpoint(adapter, untied, oneForm(folder, directory, ADAPTER_WEIGHTS, adapter));
  });
}

export function hasAdapter(directory: string, folder: CaseFolder): boolean {
  return folder.paths.includes(`${directory}adapter_config.json`);
}

/** The model that an adapter's configuration names by a path on another machine. */
async function baseOf(directory: string, folder: CaseFolder): Promise<{ path: string; weights: string }> {
  const config = await readJson(folder, `${directory}adapter_config.json`);
  const given = (config as { base_model_name_or_path?: unknown })?.base_model_name_or_path;
  const name = String(given).replace(/\/+$/, '').split('/').pop();
  for (const path of folder.paths.filter((path) => path.endsWith(`${name}/config.json`))) {
    const weights = WEIGHTS.find((file) => folder.paths.includes(inFolder(path, file)));
    const whole = path === `${name}/config.json` || path.endsWith(`/${name}/config.json`);
    if (!whole || !weights) continue;
    await useWeights(folder, inFolder(path, ''), weights);
    return { path, weights };
  }
  throw new Error(`the model ${name} of the adapter in ${directory || 'the folder'} is not there`);
}

function isMamba(config: unknown): boolean {
  const { model_type: type } = (config ?? {}) as { model_type?: unknown };
  return type === 'mamba';
}

/** Marks weights, and the files named in an index, as used. */
async function useWeights(folder: CaseFolder, place: string, weights: string): Promise<void> {
  folder.use(place + weights);
  if (!weights.endsWith('.index.json')) return;
  const index = (await readJson(folder, place + weights)) as { weight_map?: Record<string, string> };
  for (const file of Object.values(index?.weight_map ?? {})) folder.use(place + file);
}

/** A folder that shows only one of its weight files. */
function oneForm(
  { paths, source }: CaseFolder,
  place: string,
  forms: readonly string[],
  form: string,
): SourceDirectory {
  return {
    name: place || '.',
    open: async (file) => {
      const hidden = forms.includes(file) && file !== form;
      return hidden || !paths.includes(place + file) ? undefined : source.open(place + file);
    },
  };
}
