/** From a HuggingFace folder of a Mamba language model to a GrootL model, and what such a folder holds. */
import type { GrootLArchitecture, GrootLMetadata } from '../plugin/models/grootl_metadata.js';
import { DTYPE, tensorShape } from './graph/graph_builder.js';
import type { ModelSink } from './graph/model_sink.js';
import { writeModels } from './graph/model_writer.js';
import type { Quantization } from './graph/quantize.js';
import type { Parameter } from './graph/torch_layers.js';
import { decodeGraph, type GrootLGraph, prefillGraph } from './grootl.js';
import { countGrootLParameters, type GrootLSizes, grootLSizes, HEAD } from './grootl_architecture.js';
import { copyFiles } from './huggingface/copied_files.js';
import { type Adapter, openAdapter } from './huggingface/lora.js';
import { type MambaConfig, readMambaConfig } from './huggingface/mamba_config.js';
import type { SourceDirectory } from './huggingface/source_directory.js';
import { type FolderState, openFolderState } from './huggingface/state.js';
import type { IgnoredEntry } from './pytorch/state_dict.js';
import { CONVERTER_VERSION } from './version.js';

export interface FolderInspectOptions {
  /** `tree` (default): GrootL. `chain`: the ordinary Mamba model. */
  readonly scan?: GrootLArchitecture['scan'];
  /** Folder of a LoRA adapter in PEFT's layout, merged into the weights. */
  readonly lora?: SourceDirectory;
  readonly onProgress?: (stage: 'reading' | 'writing', doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface FolderConvertOptions extends FolderInspectOptions {
  /** As tfjs's own converter defines it; `none` by default. */
  readonly quantize?: Quantization;
  /** Bytes of a shard file, 4 MiB by default. */
  readonly shardBytes?: number;
}

/** What a HuggingFace folder holds. */
export interface FolderInspection {
  /** `GrootL`, or `Mamba` for the ordinary model. */
  readonly architecture: GrootLArchitecture['name'];
  readonly scan: GrootLArchitecture['scan'];
  /** Channels between layers. */
  readonly channels: number;
  /** Layers, the one entry of a list: the network has one level. */
  readonly depths: readonly number[];
  /** Tokens of the vocabulary. */
  readonly classes: number;
  readonly intermediate: number;
  readonly states: number;
  readonly tiedHead: boolean;
  readonly parameters: number;
  readonly tensors: number;
  /** The file with the weights, or their index. */
  readonly weightsUsed: string;
  /** The LoRA adapter that is merged, or null. */
  readonly adapter: string | null;
  /** What was left out, and why. */
  readonly ignored: readonly IgnoredEntry[];
  readonly file: {
    readonly name: string;
    readonly format: string;
    readonly bytes: number;
    readonly sha256: string;
  };
}

/**
 * Reads a folder and says what it holds. Nothing that its files ask for is executed.
 * @throws {CheckpointError} when a file cannot or must not be read; {ArchitectureError} when it is no Mamba language
 *   model, or its configuration disagrees with its weights.
 */
export async function inspectFolder(
  directory: SourceDirectory,
  options: FolderInspectOptions = {},
): Promise<FolderInspection> {
  return describe(await open(directory, options));
}

/**
 * Converts a folder: `model.json` reads a text, `decode.json` continues it over the same shards, and the tokenizer's
 * files come along. Memory: the largest tensor a few times over, however large the model is.
 * @param sink takes the files; model.json comes last, and only when everything before it went well.
 * @throws as {@link inspectFolder}; {ArchitectureError} when an adapter cannot be merged.
 */
export async function convertFolder(
  directory: SourceDirectory,
  sink: ModelSink,
  options: FolderConvertOptions = {},
): Promise<FolderInspection> {
  const opened = await open(directory, options);
  const { sizes, scan, state } = opened;
  const { quantize = 'none', shardBytes, signal, onProgress } = options;
  const prefill = prefillGraph(sizes, scan, state);
  const decode = decodeGraph(sizes, scan, state);
  await copyFiles(options.lora ? [options.lora, directory] : [directory], sink);
  await writeModels(
    [
      { file: 'decode.json', graph: decode.graph, description: description(opened, decode, quantize) },
      { file: 'model.json', graph: prefill.graph, description: description(opened, prefill, quantize) },
    ],
    sink,
    { quantize, shardBytes, signal, onProgress: (done, total) => onProgress?.('writing', done, total) },
  );
  return describe(opened);
}

interface Opened {
  readonly config: MambaConfig;
  readonly folder: FolderState;
  readonly adapter: Adapter | undefined;
  /** The weights, an adapter merged into them. */
  readonly state: ReadonlyMap<string, Parameter>;
  readonly sizes: GrootLSizes;
  readonly scan: GrootLArchitecture['scan'];
}

async function open(directory: SourceDirectory, options: FolderInspectOptions): Promise<Opened> {
  const { lora, scan = 'tree', onProgress, signal } = options;
  const pass = {
    signal,
    onProgress: (done: number, total: number) => onProgress?.('reading', done, total),
  };
  const config = await readMambaConfig(directory);
  const folder = await openFolderState(directory, pass);
  const adapter = lora && (await openAdapter(lora, pass));
  const state = adapter ? adapter.merge(folder.entries) : folder.entries;
  return { config, folder, adapter, state, sizes: grootLSizes(state, config), scan };
}

function architectureOf({ sizes, scan }: Opened): GrootLArchitecture {
  const { bias: _, convolutionBias: __, ...architecture } = sizes;
  return { name: scan === 'tree' ? 'GrootL' : 'Mamba', scan, ...architecture };
}

function description(
  opened: Opened,
  { inputs, outputs, namedNodes }: GrootLGraph,
  quantization: Quantization,
) {
  const { folder, adapter, config, sizes } = opened;
  const userDefinedMetadata: GrootLMetadata = {
    architecture: {
      family: 'GrootL',
      ...architectureOf(opened),
      parameters: countGrootLParameters(sizes),
    },
    tokens: config.tokens,
    source: { ...folder.source, adapter: adapter?.source ?? null },
    quantization,
    nodes: namedNodes,
    converter: { name: 'tfjs-grootvl', version: CONVERTER_VERSION },
  };
  const entries = (ports: GrootLGraph['inputs']) =>
    Object.fromEntries(
      ports.map(({ name, shape, dtype }) => [
        name,
        { name: `${name}:0`, dtype: DTYPE[dtype], tensorShape: tensorShape(shape) },
      ]),
    );
  return {
    signature: { inputs: entries(inputs), outputs: entries(outputs) },
    userDefinedMetadata,
    convertedBy: `tfjs-grootvl ${CONVERTER_VERSION}`,
  };
}

function describe(opened: Opened): FolderInspection {
  const { folder, sizes, scan, adapter, state } = opened;
  const tied = sizes.tiedHead && state.has(HEAD);
  return {
    architecture: architectureOf(opened).name,
    scan,
    channels: sizes.hidden,
    depths: [sizes.layers],
    classes: sizes.vocabulary,
    intermediate: sizes.intermediate,
    states: sizes.states,
    tiedHead: sizes.tiedHead,
    parameters: countGrootLParameters(sizes),
    tensors: folder.entries.size,
    weightsUsed: folder.source.file,
    adapter: adapter?.source.file ?? null,
    ignored: [
      ...folder.ignored,
      ...(tied ? [{ name: HEAD, reason: 'tied to the embeddings, which are used' }] : []),
    ],
    file: {
      name: folder.source.file,
      format: folder.format,
      bytes: folder.bytes,
      sha256: folder.source.sha256,
    },
  };
}
