/** Inspects the HuggingFace folder of a Mamba language model and converts it to a GrootL model. */
import type { Adapter } from '../../../plugin/models/adapter.js';
import { show } from '../../../plugin/models/checks.js';
import type {
  GrootLArchitecture,
  GrootLMetadata,
  SourceFile,
} from '../../../plugin/models/grootl_metadata.js';
import { ArchitectureError } from '../../errors.js';
import type { ModelSink } from '../../graph/model_sink.js';
import { weightBytesOf, writeModels } from '../../graph/model_writer.js';
import type { Quantization } from '../../graph/quantize.js';
import { byteLevelTokenizer, MERGES, VOCABULARY } from '../../huggingface/byte_level_tokenizer.js';
import { type CopiedFile, readCopiedFiles } from '../../huggingface/copied_files.js';
import {
  ADAPTER_CONFIG,
  mergeLowRank,
  openAdapter,
  readAdapterConfig,
  unwrapPeft,
} from '../../huggingface/lora.js';
import { type MambaConfig, readMambaConfig } from '../../huggingface/mamba_config.js';
import type { SourceDirectory } from '../../huggingface/source_directory.js';
import { type FolderState, openFolderState } from '../../huggingface/state.js';
import { unusedFiles } from '../../huggingface/unused_files.js';
import { type Parameter, Parameters } from '../../parameters.js';
import { quote } from '../../pytorch/errors.js';
import { type IgnoredEntry, requireReadable } from '../../pytorch/state_dict.js';
import { countDisagreements, describeDisagreements } from '../../state_shapes.js';
import { CONVERTER_VERSION } from '../../version.js';
import type { NetworkGraph } from '../architecture.js';
import { isComplete, noReading, type Reading, readings } from '../recognize.js';
import {
  canonicalName,
  checkConfig,
  countGrootLParameters,
  EMBEDDINGS,
  type GrootLSizes,
  HEAD,
  mambaArchitecture,
} from './architecture.js';
import { decodeGraph, prefillGraph } from './graph.js';

const TOKENIZER = 'tokenizer.json';

export interface FolderInspectOptions {
  /** `tree` (default): GrootL. `chain`: the ordinary Mamba model. */
  readonly scan?: GrootLArchitecture['scan'];
  /** Folder of a LoRA adapter in PEFT's layout, to merge into the weights. */
  readonly lora?: SourceDirectory;
  /** Keys that lead to the state dict in a weight file, joined by dots; needed where it is not under the usual keys. */
  readonly key?: string;
  /** Prefix of the parameter names; needed where it cannot be detected. */
  readonly prefix?: string;
  readonly onProgress?: (stage: 'reading' | 'writing', doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface FolderConvertOptions extends FolderInspectOptions {
  /**
   * Type of the stored weights: `float16`, `uint8` and `uint16` as in tfjs's own converter, `int8` for layers that multiply
   * integers; `none` by default.
   */
  readonly quantize?: Quantization;
  /** Bytes per shard file, 4 MiB by default. */
  readonly shardBytes?: number;
  /** Maximum bytes of weights to write; by default four times the size of the checkpoint or 16 MiB, whichever is larger. */
  readonly maxBytes?: number;
}

/** Contents of a HuggingFace folder. */
export interface FolderInspection {
  /** `GrootL`, or `Mamba` for the ordinary model. */
  readonly architecture: GrootLArchitecture['name'];
  readonly scan: GrootLArchitecture['scan'];
  /** Hidden size: channels between layers. */
  readonly channels: number;
  /** Number of layers, as a list of one entry: the network has one level. */
  readonly depths: readonly number[];
  /** Vocabulary size. */
  readonly classes: number;
  readonly intermediate: number;
  readonly states: number;
  readonly tiedHead: boolean;
  readonly parameters: number;
  readonly tensors: number;
  /** The weight file or the index of weight files. */
  readonly weightsUsed: string;
  /** The LoRA adapter that is merged, or null. */
  readonly adapter: string | null;
  /** The file of parameters trained in full beside the adapter, which replace the model's, or null. */
  readonly trained: string | null;
  /** What was left out, and why. */
  readonly ignored: readonly IgnoredEntry[];
  /** Bytes of weights that a conversion writes, which `maxBytes` limits. Without quantisation if the folder is only inspected. */
  readonly outputBytes: number;
  readonly file: {
    readonly name: string;
    readonly format: string;
    readonly bytes: number;
    readonly sha256: string;
  };
}

/**
 * Reads a folder and reports its contents. Nothing in its files is executed.
 * @throws {CheckpointError} if a file cannot be read or is refused
 * @throws {ArchitectureError} if it is not a Mamba language model, or its configuration disagrees with its weights
 */
export async function inspectFolder(
  directory: SourceDirectory,
  options: FolderInspectOptions = {},
): Promise<FolderInspection> {
  return describe(await open(directory, options));
}

/**
 * Converts a folder: `model.json` processes a whole text, `decode.json` continues it with the same shards, and the tokenizer's
 * files are copied. Memory: a few times the largest tensor, whatever the size of the model.
 * @param sink receives the files; model.json is written last, and only if everything before it succeeded
 * @throws as {@link inspectFolder}; {ArchitectureError} if an adapter cannot be merged
 */
export async function convertFolder(
  directory: SourceDirectory,
  sink: ModelSink,
  options: FolderConvertOptions = {},
): Promise<FolderInspection> {
  const opened = await open(directory, options);
  const { copied } = opened;
  const { quantize = 'none', shardBytes, maxBytes, signal, onProgress } = options;
  const { prefill, decode } = graphsOf(opened);
  for (const { file, bytes } of copied) await sink.write(file, bytes);
  const models = Object.entries({ 'decode.json': decode, 'model.json': prefill }).map(([file, network]) => {
    return { file, ...network, userDefinedMetadata: metadataOf(opened, network, quantize) };
  });
  await writeModels(models, sink, {
    ...{ quantize, shardBytes, sourceBytes: opened.folder.bytes, maxBytes, signal },
    onProgress: (done, total) => onProgress?.('writing', done, total),
  });
  return describe(opened, quantize);
}

/**
 * Reads a LoRA adapter in PEFT's layout, for `GrootL.attach`.
 * @throws {CheckpointError} if a file cannot be read or is refused
 * @throws {ArchitectureError} if it is not an adapter, or changes more than matrices
 */
export async function readAdapter(
  directory: SourceDirectory,
  options: Pick<FolderInspectOptions, 'signal'> = {},
): Promise<Adapter> {
  const adapter = await openAdapter(directory, options);
  return adapter.read(canonicalName);
}

function graphsOf({ sizes, scan, state }: Opened) {
  return {
    prefill: prefillGraph(sizes, scan, new Parameters(state)),
    decode: decodeGraph(sizes, scan, new Parameters(state)),
  };
}

interface Opened {
  readonly config: MambaConfig;
  readonly folder: FolderState;
  /** The adapter that is merged, if any. */
  readonly adapter: SourceFile | null;
  /** The file of parameters trained in full beside it. */
  readonly trained: SourceFile | undefined;
  /** The weights, with any adapter merged into them. */
  readonly state: ReadonlyMap<string, Parameter>;
  readonly sizes: GrootLSizes;
  readonly scan: GrootLArchitecture['scan'];
  /** The tokenizer's files and the configuration. */
  readonly copied: readonly CopiedFile[];
  readonly ignored: readonly IgnoredEntry[];
}

async function open(directory: SourceDirectory, options: FolderInspectOptions): Promise<Opened> {
  const { lora, scan = 'tree', key, prefix, onProgress, signal } = options;
  if (scan !== 'tree' && scan !== 'chain') {
    throw new ArchitectureError(`scan is ${show(scan)}, expected "tree" or "chain" for a language model`);
  }
  const pass = {
    signal,
    onProgress: (done: number, total: number) => onProgress?.('reading', done, total),
  };
  const config = await readMambaConfig(directory);
  const architecture = mambaArchitecture(config);
  const folder = await openFolderState(directory, { ...pass, key, architecture });
  const adapter = lora && (await openAdapter(lora, pass));

  const { model, lowRank, ignored: replaced } = unwrapPeft(folder.entries);
  const candidates: Reading<GrootLSizes, Parameter>[] = readings(model, [architecture], prefix);
  const [reading, rival] = candidates;
  if (!reading) throw noReading(model, [architecture], [], '', prefix);
  if (rival && isComplete(rival)) {
    const prefixes = candidates.filter(isComplete).map((each) => quote(each.prefix));
    throw new ArchitectureError(
      `the weights hold ${prefixes.length} networks, choose one by its prefix: ${prefixes.slice(0, 8).join(', ')}`,
    );
  }
  let state = reading.state;
  const ignored = [...folder.ignored, ...replaced, ...reading.leftOut];
  if (config.tiedHead && state.has(HEAD)) {
    // Either one may be stored without the other.
    ignored.push({
      name: HEAD,
      reason: state.has(EMBEDDINGS)
        ? 'tied to the embeddings, which are used'
        : 'tied to the embeddings, which are not in the file: used as these',
    });
    if (!state.has(EMBEDDINGS)) state = new Map([...state, [EMBEDDINGS, state.get(HEAD) as Parameter]]);
  }
  if (adapter) {
    state = adapter.merge(state, canonicalName);
    ignored.push(...adapter.ignored, ...[...lowRank.keys()].map(notMerged));
  } else if (lowRank.size > 0) {
    state = mergeLowRank(state, lowRank, await scalingOf(directory, folder), canonicalName);
  }
  const fit = architecture.fit(state);
  if (!fit || countDisagreements(fit.differences) > 0) {
    if (!isComplete(reading)) throw noReading(model, [architecture], candidates, '', prefix);
    const reason = fit ? describeDisagreements(fit.differences) : 'it changes what a Mamba model is';
    throw new ArchitectureError(
      `the model does not fit its configuration after the adapter was merged: ${reason}`,
    );
  }
  requireReadable(state);
  checkConfig(fit.sizes, config);
  const copied = await readCopiedFiles(lora ? [lora, directory] : [directory]);
  const tokenizer = copied.some(({ file }) => file === TOKENIZER) ? undefined : madeTokenizer(copied);
  if (tokenizer) copied.push({ file: TOKENIZER, directory, bytes: tokenizer });
  ignored.push(...tokenizerMissing(copied, tokenizer !== undefined));
  const ofAdapter =
    adapter || lowRank.size > 0
      ? [ADAPTER_CONFIG, adapter?.source.file ?? '', adapter?.trained?.file ?? '']
      : [];
  ignored.push(...(await leftInFolders(directory, lora, folder, ofAdapter, copied)));
  const inWeights = lowRank.size > 0 ? { file: folder.source.file, sha256: folder.source.sha256 } : null;
  const merged = adapter?.source ?? inWeights;
  const trained = adapter?.trained;
  return { config, folder, adapter: merged, trained, state, sizes: fit.sizes, scan, copied, ignored };
}

/** A tokenizer.json built from the files of older tokenizers. */
function madeTokenizer(copied: readonly CopiedFile[]): Uint8Array | undefined {
  const text = byteLevelTokenizer(new Map(copied.map(({ file, bytes }) => [file, bytes])));
  return text === undefined ? undefined : new TextEncoder().encode(text);
}

/** A report entry for a tokenizer that was built, or for a model that handles token ids only. */
function tokenizerMissing(copied: readonly CopiedFile[], made: boolean): IgnoredEntry[] {
  const has = (name: string) => copied.some(({ file }) => file === name);
  if (made) {
    const reason = `not in the folder: made of ${VOCABULARY} and ${MERGES} (byte-level BPE)`;
    return [{ name: TOKENIZER, reason }];
  }
  if (has(TOKENIZER)) return [];
  const parts = [VOCABULARY, MERGES].filter(has);
  const kind = parts.length === 2 ? ', which are not byte-level,' : ' alone';
  const without = parts.length > 0 ? `, and ${parts.join(' and ')}${kind} make no tokenizer` : '';
  const reason =
    `not in the folder${without}: the model takes and gives token ids, texts need this file ` +
    '(AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers writes it)';
  return [{ name: TOKENIZER, reason }];
}

function notMerged(name: string): IgnoredEntry {
  return { name, reason: 'of an adapter in the weight file; the adapter that was given is merged instead' };
}

/** The scaling of an adapter whose parameters are in the weight file of the model. */
async function scalingOf(directory: SourceDirectory, { source }: FolderState) {
  const config = await readAdapterConfig(directory);
  if (config) return config;
  throw new ArchitectureError(
    `${source.file} of ${directory.name} holds LoRA weights beside the model's, and how to scale them is not known: ` +
      `expected the adapter's ${ADAPTER_CONFIG} in the folder, or the folder of the adapter given beside the model (--lora)`,
  );
}

/** Files of the folders that are not used. */
async function leftInFolders(
  directory: SourceDirectory,
  lora: SourceDirectory | undefined,
  { source }: FolderState,
  ofAdapter: readonly string[],
  copied: readonly CopiedFile[],
): Promise<IgnoredEntry[]> {
  const ofModel = ['config.json', source.file, ...source.shards.map(({ file }) => file)];
  const copiedFrom = (from: SourceDirectory) =>
    copied.filter((each) => each.directory === from).map(({ file }) => file);
  if (!lora || lora.name === directory.name) {
    return unusedFiles(directory, new Set([...ofModel, ...ofAdapter, ...copied.map(({ file }) => file)]));
  }
  return [
    ...(await unusedFiles(directory, new Set([...ofModel, ...copiedFrom(directory)]))),
    ...(await unusedFiles(lora, new Set([...ofAdapter, ...copiedFrom(lora)]))),
  ];
}

function architectureOf({ sizes, scan }: Opened): GrootLArchitecture {
  const { bias: _, convolutionBias: __, ...architecture } = sizes;
  return { name: scan === 'tree' ? 'GrootL' : 'Mamba', scan, ...architecture };
}

function metadataOf(
  opened: Opened,
  { namedNodes }: NetworkGraph,
  quantization: Quantization,
): GrootLMetadata {
  const { folder, adapter, trained, config, sizes } = opened;
  return {
    architecture: {
      family: 'GrootL',
      ...architectureOf(opened),
      parameters: countGrootLParameters(sizes),
    },
    tokens: config.tokens,
    source: { ...folder.source, adapter, trained },
    quantization,
    nodes: namedNodes,
    converter: { name: 'tfjs-grootvl', version: CONVERTER_VERSION },
  };
}

function describe(opened: Opened, quantization: Quantization = 'none'): FolderInspection {
  const { folder, sizes, scan, adapter, trained, ignored } = opened;
  const { prefill, decode } = graphsOf(opened);
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
    adapter: adapter?.file ?? null,
    trained: trained?.file ?? null,
    ignored,
    outputBytes: weightBytesOf([decode.graph, prefill.graph], quantization),
    file: {
      name: folder.source.file,
      format: folder.format,
      bytes: folder.bytes,
      sha256: folder.source.sha256,
    },
  };
}
