/** The interface of a network architecture: how it is recognised in a checkpoint, and how its graph is built. */
import type { GrootVScan, StemStride } from '../../plugin/models/grootv_metadata.js';
import type { UisMambaWeakening } from '../../plugin/models/uis_mamba_metadata.js';
import type { BatchNormHandling } from '../graph/batch_norm.js';
import type { GraphBuilder, GraphEnd } from '../graph/graph_builder.js';
import type { DenseOptions } from '../openmmlab/dense_options.js';
import type { Parameter, Parameters } from '../parameters.js';
import type { Checkpoint } from '../pytorch/checkpoint.js';
import type { Disagreements, StateShapes } from '../state_shapes.js';

/** A network architecture as it appears in state dicts. */
export interface Architecture<Sizes> {
  /** For example `GrootV`. */
  readonly family: string;
  /** Name of its files in messages: `GrootV checkpoint`. */
  readonly title: string;
  /** Family of a network that this one contains: a checkpoint of this network is not taken for one of that family. */
  readonly contains?: string;
  /** A network of this family, for messages: `a GrootV (channels 8, depths 1, 1)`. */
  describe(sizes: Sizes): string;
  /** Parameter names that identify the network; a state dict without any of them does not hold it. */
  readonly anchors: readonly string[];
  /** The canonical name of a parameter, where other names are in use as well. */
  readonly canonical?: (name: string) => string;
  /** Why a tensor outside the network is left out, if known. */
  readonly whyLeftOut?: (name: string) => string | undefined;
  /** Whether a parameter belongs to a module of the network. */
  owns(name: string): boolean;
  /** The sizes inferred from names and shapes, and what disagrees with them; undefined if it is another network. */
  fit(
    state: ReadonlyMap<string, Parameter>,
  ): { readonly sizes: Sizes; readonly differences: Disagreements } | undefined;
}

/** A setting that names and shapes do not determine, and where its value comes from. */
export interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly from: 'options' | 'checkpoint' | 'file name' | 'default';
  /** What in the checkpoint gives the value, such as `config.MODEL.TYPE is "grootv"`. */
  readonly evidence?: string;
  /** Why the checkpoint's value was not used, or what to do about the value. */
  readonly note?: string;
}

/** The value of a setting as text, such as `2048, 512`. Long lists, such as class names, are only counted. */
export function settingText(value: unknown): string {
  if (!Array.isArray(value)) return String(value ?? 'none');
  return value.length > 8 || value.some(Array.isArray) ? `${value.length} of them` : value.join(', ');
}

/** Settings that names and shapes of tensors do not determine. */
export interface ModelSettings {
  /** Side of the images, in pixels; for models that take images of any aspect ratio, the maximum of the short side. */
  readonly imageSize?: number;
  readonly classNames: readonly string[] | null;
  readonly report: readonly Setting[];
  /** What the user should check before using the model. */
  readonly warnings?: readonly string[];
  readonly batchNorm?: BatchNormHandling;
}

/** Settings given by the caller of a conversion. */
export interface SettingsOptions {
  readonly classNames?: readonly string[];
  readonly dense?: DenseOptions;
  readonly stemStride?: StemStride;
  readonly uisMamba?: Partial<UisMambaWeakening>;
}

/** A graph, its inputs and default outputs, and further nodes that can be requested. */
export interface NetworkGraph {
  readonly graph: GraphBuilder;
  /** `image` [N, H, W, 3] by default. */
  readonly inputs?: readonly GraphEnd[];
  readonly outputs: readonly GraphEnd[];
  readonly namedNodes: readonly string[];
}

/** An architecture whose graph is built from one checkpoint file. */
export interface FileArchitecture<Sizes, Settings extends ModelSettings = ModelSettings>
  extends Architecture<Sizes> {
  /** The default scan if it differs from GrootV's; null if no option selects the scan. */
  readonly scan?: GrootVScan | null;
  /** @throws {ArchitectureError} if something other than the tensors identifies the checkpoint as another model */
  check(checkpoint: Checkpoint): void;
  /** @throws {ArchitectureError} if an option does not fit, or the checkpoint asks for something that is not supported */
  settings(sizes: Sizes, checkpoint: Checkpoint, options: SettingsOptions): Settings;
  /** The sizes completed from settings, such as the stride of the stem. Absent if settings determine no size. */
  complete?(sizes: Sizes, settings: Settings): Sizes;
  /** Builds the graph; no weight is read. */
  build(sizes: Sizes, parameters: Parameters, settings: Settings): NetworkGraph;
  /** Number of trainable parameters; running statistics are not counted. */
  countParameters(state: StateShapes): number;
  /** `userDefinedMetadata` of the model. */
  metadata(sizes: Sizes, settings: Settings, details: ModelDetails): object;
}

/** Details of a model in addition to its sizes and settings. */
export interface ModelDetails {
  readonly parameters: number;
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
}
