/** Inspects PyTorch checkpoints and converts them to tfjs GraphModels. Uses neither Node APIs nor tfjs at run time. */
import type { MaskRCNNArchitecture } from '../plugin/models/detector_metadata.js';
import {
  EXPORTED,
  type GrootVArchitecture,
  type GrootVScan,
  type StemStride,
} from '../plugin/models/grootv_metadata.js';
import type { UperNetArchitecture } from '../plugin/models/segmenter_metadata.js';
import type { UisMambaArchitecture, UisMambaWeakening } from '../plugin/models/uis_mamba_metadata.js';
import type { FileArchitecture, ModelSettings, NetworkGraph, Setting } from './architectures/architecture.js';
import type { EyeTrackerSizes } from './architectures/gg_ssm_eye_tracker/graph.js';
import type { ForecasterSizes } from './architectures/gg_ssm_forecaster/graph.js';
import { mambaArchitecture } from './architectures/grootl/architecture.js';
import {
  convertFolder,
  type FolderConvertOptions,
  type FolderInspection,
  type FolderInspectOptions,
  inspectFolder,
} from './architectures/grootl/folder.js';
import { refuseModelsBeside } from './architectures/grootv/model_evidence.js';
import { chooseScan, refuseScan, TREE_OPTIONS } from './architectures/grootv/scans.js';
import { ARCHITECTURES, type NetworkSizes } from './architectures/index.js';
import { readings } from './architectures/recognize.js';
import { type ByteSource, blobSource, bytesSource } from './byte_source.js';
import { type ChosenWeights, chooseWeights, type NamesChoice } from './choose_weights.js';
import { ArchitectureError } from './errors.js';
import type { BatchNormHandling } from './graph/batch_norm.js';
import type { GraphEnd } from './graph/graph_builder.js';
import type { ModelSink } from './graph/model_sink.js';
import { weightBytesOf, writeModel } from './graph/model_writer.js';
import type { Quantization } from './graph/quantize.js';
import { unwrapPeft } from './huggingface/lora.js';
import { isSourceDirectory, type SourceDirectory } from './huggingface/source_directory.js';
import type { DenseOptions } from './openmmlab/dense_options.js';
import { Parameters } from './parameters.js';
import { type Checkpoint, openCheckpoint } from './pytorch/checkpoint.js';
import { quote } from './pytorch/errors.js';
import { type IgnoredEntry, leftOutBeside, stateDicts, type WeightSet } from './pytorch/state_dict.js';
import { findUnpacked, openUnpackedCheckpoint } from './pytorch/unpacked.js';
import { CONVERTER_VERSION } from './version.js';

/** A checkpoint: bytes in memory, a Blob or File in a page, or any other random-access source. */
export type CheckpointInput = ByteSource | Blob | Uint8Array | ArrayBuffer;

/** Progress of long-running work. */
export type Progress = (stage: 'reading' | 'writing', doneBytes: number, totalBytes: number) => void;

export interface InspectOptions extends GrootVScan {
  /** Which weights of a training checkpoint: `model` by default, or the moving average `model_ema`. */
  readonly weights?: WeightSet;
  /** Keys that lead to the state dict, joined by dots, such as `trainer.student`; needed where it is not under the usual keys. */
  readonly key?: string;
  /** Prefix of the parameter names, such as `student.backbone.`; needed where it cannot be detected. */
  readonly prefix?: string;
  /** Settings of a segmenter or detector that override those in its checkpoint. */
  readonly dense?: DenseOptions;
  /**
   * Stride of the convolutions of the stem: 1 for GG-SSM, 2 for GrootV. By default inferred from what the checkpoint holds in
   * addition to the weights, which are alike for both.
   */
  readonly stemStride?: StemStride;
  /** Settings of UIS-Mamba, which its weights do not determine; they override a configuration in the checkpoint. */
  readonly uisMamba?: Partial<UisMambaWeakening>;
  readonly onProgress?: Progress;
  readonly signal?: AbortSignal;
}

export interface ConvertOptions extends InspectOptions {
  /**
   * Type of the stored weights: `float16`, `uint8` and `uint16` as in tfjs's own converter, `int8` for layers that multiply
   * integers; `none` by default.
   */
  readonly quantize?: Quantization;
  /**
   * Class names, as many as the head has classes. By default those in the checkpoint of a segmenter or detector, and ImageNet's
   * for a classifier of 1000 classes.
   */
  readonly classNames?: readonly string[];
  /**
   * `fold` (default): a BatchNorm after a convolution is folded into it, which gives fewer nodes. `keep`: every constant is one
   * parameter, so that segmenters and detectors can be trained and exported. Classifiers are the same either way.
   */
  readonly batchNorm?: BatchNormHandling;
  /** Bytes per shard file, 4 MiB by default. */
  readonly shardBytes?: number;
  /**
   * Maximum bytes of weights to write. By default four times the size of the checkpoint or 16 MiB, whichever is larger: a few
   * bytes can describe gigabytes of repeated values.
   */
  readonly maxBytes?: number;
}

/** Options for a checkpoint that is a file or a folder; a folder may hold an unpacked checkpoint file. */
type OfEither<File extends InspectOptions, Folder extends FolderInspectOptions> = Omit<File, 'scan'> &
  Omit<Folder, 'scan'> & {
    /** For a vision model {@link InspectOptions.scan}, for a language model {@link FolderInspectOptions.scan}. */
    readonly scan?: File['scan'] | Folder['scan'];
  };

/** The sizes of the network that `architecture` names. */
type InspectedSizes = Omit<NetworkSizes, 'name'> &
  Partial<
    Omit<
      GrootVArchitecture &
        UperNetArchitecture &
        MaskRCNNArchitecture &
        UisMambaArchitecture &
        EyeTrackerSizes &
        ForecasterSizes,
      keyof NetworkSizes
    >
  >;

/** Contents of a checkpoint. */
export interface Inspection extends InspectedSizes {
  /**
   * `GrootV-T`, `GrootV-S`, `GrootV-B`, or `GrootV` for any other size; with ` + UperNet` or ` + Mask R-CNN`. `GG-SSM` instead of
   * `GrootV` if the stem has stride 1, `UIS-Mamba` if features are deformed. `GG-SSM eye tracker`, `GG-SSM forecaster`.
   */
  readonly architecture: string;
  /** Number of trainable parameters; running statistics are not counted. */
  readonly parameters: number;
  /** Number of tensors in the chosen weights. */
  readonly tensors: number;
  /** Key in the file under which the weights are, or `bare`. */
  readonly weightsUsed: string;
  /** Prefix removed from the parameter names, in addition to wrapper segments; '' if none. */
  readonly prefix: string;
  /** What was left out, and why. */
  readonly ignored: readonly IgnoredEntry[];
  /** Side of the model's input images, in pixels; for segmenters and detectors the maximum of the short side. */
  readonly imageSize?: number;
  /** Settings that the weights do not determine, and the source of each: the checkpoint, its name, an option or the default. */
  readonly settings: readonly Setting[];
  /** What the user should check before using the model. */
  readonly warnings: readonly string[];
  /**
   * Bytes of weights that a conversion writes, which `maxBytes` limits. Without quantisation if the checkpoint is only inspected.
   */
  readonly outputBytes: number;
  readonly file: {
    readonly name: string;
    readonly format: string;
    readonly bytes: number;
    readonly sha256: string;
  };
}

/**
 * Reads a checkpoint and reports its contents. Nothing in the file is executed.
 * @throws {CheckpointError} if the file cannot be read or is refused
 * @throws {ArchitectureError} if it does not hold a supported network
 */
export async function inspectCheckpoint(
  input: CheckpointInput,
  options?: InspectOptions,
): Promise<Inspection>;
/**
 * Reads the HuggingFace folder of a language model and reports its contents: see `inspectFolder`. An unpacked checkpoint (a
 * folder with data.pkl) is read like its file.
 */
export async function inspectCheckpoint(
  input: SourceDirectory,
  options?: OfEither<InspectOptions, FolderInspectOptions>,
): Promise<FolderInspection | Inspection>;
export async function inspectCheckpoint(
  input: CheckpointInput | SourceDirectory,
  options: OfEither<InspectOptions, FolderInspectOptions> = {},
): Promise<Inspection | FolderInspection> {
  checkInput('inspectCheckpoint', input);
  const unpacked = await findUnpacked(input);
  const inspection =
    isSourceDirectory(input) && !unpacked
      ? await inspectFolder(input, ofLanguageModel(options))
      : describe(await open(unpacked ?? input, options as InspectOptions));
  await checkUnchanged(input);
  return inspection;
}

/**
 * Converts a checkpoint to a GraphModel: `model.json` and shards, which `tf.loadGraphModel` loads once this package is imported.
 * Memory: one tensor and one shard, whatever the size of the checkpoint.
 *
 * @param sink receives the files; model.json is written last, and only if everything before it succeeded
 * @returns a description of what was converted
 * @throws {CheckpointError} if the file cannot be read, is refused, or changed during the conversion (the sink then does not hold
 * a usable model)
 * @throws {ArchitectureError} if it does not hold a supported network, or the class names do not fit its head
 */
export async function convertCheckpoint(
  input: CheckpointInput,
  sink: ModelSink,
  options?: ConvertOptions,
): Promise<Inspection>;
/**
 * Converts the HuggingFace folder of a language model: see `convertFolder`. An unpacked checkpoint is converted like its file.
 */
export async function convertCheckpoint(
  input: SourceDirectory,
  sink: ModelSink,
  options?: OfEither<ConvertOptions, FolderConvertOptions>,
): Promise<FolderInspection | Inspection>;
export async function convertCheckpoint(
  input: CheckpointInput | SourceDirectory,
  sink: ModelSink,
  options: OfEither<ConvertOptions, FolderConvertOptions> = {},
): Promise<Inspection | FolderInspection> {
  checkInput('convertCheckpoint', input);
  const unpacked = await findUnpacked(input);
  const inspection =
    isSourceDirectory(input) && !unpacked
      ? await convertFolder(input, sink, ofLanguageModel(options))
      : await convertFile(unpacked ?? input, sink, options as ConvertOptions);
  await checkUnchanged(input, options.lora);
  return inspection;
}

/** @throws {TypeError} if the input is not a checkpoint, such as a path, saying what to pass instead */
function checkInput(caller: string, input: unknown): void {
  if (typeof input === 'string' || input instanceof URL) {
    throw new TypeError(
      `${caller} was given the path ${quote(String(input))}; expected the bytes of a file, a Blob or a ByteSource. ` +
        'In Node: await fileSource(path), or for a folder await sourceDirectory(path), of tfjs-grootvl/node',
    );
  }
  const isObject = typeof input === 'object' && input !== null;
  const isBytes = input instanceof Uint8Array || input instanceof ArrayBuffer || input instanceof Blob;
  if (isBytes || (isObject && ('read' in input || 'open' in input))) return;
  throw new TypeError(
    `${caller} was given ${isObject ? 'an object without read or open' : String(input)}; expected the bytes of a file, ` +
      'a Blob, a ByteSource or a SourceDirectory',
  );
}

/** @throws {ArchitectureError} if an option of vision models is given */
function ofLanguageModel(options: OfEither<ConvertOptions, FolderConvertOptions>): FolderConvertOptions {
  const foreign = TREE_OPTIONS.find((name) => options[name] !== undefined);
  if (foreign === undefined) return options as FolderConvertOptions;
  throw new ArchitectureError(
    `${foreign} was given, which is for GrootV; this is the folder of a language model`,
  );
}

/** Rejects if a source has changed since it was opened. */
async function checkUnchanged(...inputs: (CheckpointInput | SourceDirectory | undefined)[]): Promise<void> {
  for (const input of inputs) {
    if (input && 'checkUnchanged' in input) await input.checkUnchanged?.();
  }
}

async function convertFile(
  input: CheckpointInput | SourceDirectory,
  sink: ModelSink,
  options: ConvertOptions,
): Promise<Inspection> {
  const opened = await open(input, options);
  const { architecture, sizes, settings, network } = opened;
  const { quantize = 'none', onProgress, signal, shardBytes, maxBytes } = options;
  const inspection = describe(opened, quantize);
  const { graph, inputs = [IMAGE], outputs, namedNodes } = network;
  const { file, parameters, weightsUsed } = inspection;
  const userDefinedMetadata = architecture.metadata(sizes, settings, {
    parameters,
    source: { file: file.name, sha256: file.sha256, weights: weightsUsed },
    quantization: quantize,
    nodes: namedNodes,
    converter: { name: 'tfjs-grootvl', version: CONVERTER_VERSION },
  });
  await writeModel(graph, sink, {
    ...{ inputs, outputs, userDefinedMetadata },
    ...{ quantize, shardBytes, sourceBytes: file.bytes, maxBytes, signal },
    onProgress: (done, total) => onProgress?.('writing', done, total),
  });
  return inspection;
}

/** The input of image models. */
const IMAGE: GraphEnd = { name: 'image', shape: [-1, -1, -1, 3] };

interface Opened {
  readonly checkpoint: Checkpoint;
  readonly chosen: ChosenWeights<NetworkSizes>;
  readonly architecture: FileArchitecture<NetworkSizes>;
  /** Inferred from names and shapes, and completed by settings. */
  readonly sizes: NetworkSizes;
  readonly settings: ModelSettings;
  readonly network: NetworkGraph;
}

async function open(input: CheckpointInput | SourceDirectory, options: ConvertOptions): Promise<Opened> {
  const { weights, key, prefix, onProgress, signal } = options;
  const pass = { signal, onProgress: (done: number, total: number) => onProgress?.('reading', done, total) };
  const checkpoint = isSourceDirectory(input)
    ? await openUnpackedCheckpoint(input, pass)
    : await openCheckpoint(sourceOf(input), pass);
  const choice = { weights, key, prefix };
  let chosen: ChosenWeights<NetworkSizes>;
  try {
    chosen = chooseWeights(checkpoint, ARCHITECTURES, choice);
  } catch (error) {
    if (!(error instanceof ArchitectureError)) throw error;
    refuseWeightsOfFolder(checkpoint, choice);
    refuseModelsBeside('GrootV', 'GG-SSM', 'UIS-Mamba')(checkpoint);
    throw error;
  }
  const { reading } = chosen;
  const architecture = ARCHITECTURES.find((each) => each === reading.architecture) ?? ARCHITECTURES[0];
  architecture.check(checkpoint);
  refuseForeign(options, architecture);
  const { batchNorm } = options;
  const settings = { ...architecture.settings(reading.sizes, checkpoint, options), batchNorm };
  const sizes = {
    ...(architecture.complete?.(reading.sizes, settings) ?? reading.sizes),
    ...(architecture.scan === null
      ? refuseScan(options, architecture.title)
      : chooseScan(options, checkpoint.metadata.get(EXPORTED.scan), architecture.scan)),
  };
  const network = architecture.build(sizes, new Parameters(reading.state), settings);
  return { checkpoint, chosen, architecture, sizes, settings, network };
}

/** @throws {ArchitectureError} if options of UIS-Mamba are given for a checkpoint of another network */
function refuseForeign(
  { uisMamba = {} }: ConvertOptions,
  { family, title }: { family: string; title: string },
): void {
  const [given] = Object.entries(uisMamba).find(([, value]) => value !== undefined) ?? [];
  if (given === undefined || family.startsWith('UIS-Mamba')) return;
  throw new ArchitectureError(`${given} was given, which is for UIS-Mamba; this is a ${title}`);
}

/** @throws {ArchitectureError} if the file belongs to the folder of a language model, naming the folder */
function refuseWeightsOfFolder(checkpoint: Checkpoint, { key, prefix }: NamesChoice): void {
  const language = stateDicts(checkpoint, { key }).some(
    ({ entries }) => readings(unwrapPeft(entries).model, [mambaArchitecture()], prefix).length > 0,
  );
  if (!language) return;
  const slash = Math.max(checkpoint.name.lastIndexOf('/'), checkpoint.name.lastIndexOf('\\'));
  const folder = slash < 0 ? 'its folder' : `its folder, ${quote(checkpoint.name.slice(0, slash) || '/')},`;
  throw new ArchitectureError(
    `${quote(checkpoint.name.slice(slash + 1))} holds the weights of a Mamba language model, which needs what lies ` +
      `beside them (config.json, the tokenizer): give ${folder} in place of the file`,
  );
}

function sourceOf(input: CheckpointInput): ByteSource {
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return bytesSource(input);
  if (typeof Blob !== 'undefined' && input instanceof Blob) return blobSource(input);
  return input as ByteSource;
}

function describe(
  { checkpoint, chosen: { dict, reading }, architecture, sizes: completed, settings, network }: Opened,
  quantization: Quantization = 'none',
): Inspection {
  const { name, ...sizes } = completed;
  return {
    architecture: name,
    ...sizes,
    parameters: architecture.countParameters(reading.state),
    tensors: dict.entries.size,
    weightsUsed: dict.path || 'bare',
    prefix: reading.prefix,
    ignored: [...leftOutBeside(checkpoint, dict), ...reading.leftOut],
    imageSize: settings.imageSize,
    settings: settings.report,
    warnings: settings.warnings ?? [],
    outputBytes: weightBytesOf([network.graph], quantization),
    file: {
      name: checkpoint.name.split(/[\\/]/).at(-1) ?? checkpoint.name,
      format: checkpoint.format,
      bytes: checkpoint.size,
      sha256: checkpoint.sha256,
    },
  };
}
