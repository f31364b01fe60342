/** What is known of a kind of network: how it is recognised, and how its graph is built. */
import type { GrootVScan, StemStride } from '../../plugin/models/grootv_metadata.js';
import type { UisMambaWeakening } from '../../plugin/models/uis_mamba_metadata.js';
import type { BatchNormHandling } from '../graph/batch_norm.js';
import type { GraphBuilder } from '../graph/graph_builder.js';
import type { DenseOptions } from '../openmmlab/dense_options.js';
import type { Parameter, Parameters } from '../parameters.js';
import type { Checkpoint } from '../pytorch/checkpoint.js';
import type { Disagreements, StateShapes } from '../state_shapes.js';

/** A network as its state dicts show it. */
export interface Architecture<Sizes> {
  /** Such as `GrootV`. */
  readonly family: string;
  /** What a file of it is called in a message: `GrootV checkpoint`. */
  readonly title: string;
  /** The family of the network that is a part of this one: a checkpoint of this network is none of that. */
  readonly contains?: string;
  /** What a network of this family is called in a message: `a GrootV (channels 8, depths 1, 1)`. */
  describe(sizes: Sizes): string;
  /** Names by which one is recognised; a state dict without any of them is none. */
  readonly anchors: readonly string[];
  /** The name of a parameter, where other names for it are in use. */
  readonly canonical?: (name: string) => string;
  /** Why a tensor outside the network is left out, where that is known. */
  readonly whyLeftOut?: (name: string) => string | undefined;
  /** Whether a parameter lies in a module of the network. */
  owns(name: string): boolean;
  /** The sizes that names and shapes show, and what does not fit them; undefined when it is another network. */
  fit(
    state: ReadonlyMap<string, Parameter>,
  ): { readonly sizes: Sizes; readonly differences: Disagreements } | undefined;
}

/** A value that a model has beside its sizes, and who said it. */
export interface Setting {
  readonly name: string;
  readonly value: unknown;
  readonly from: 'options' | 'checkpoint' | 'file name' | 'default';
  /** What of the checkpoint says so, such as `config.MODEL.TYPE is "grootv"`. */
  readonly evidence?: string;
  /** Why what the checkpoint says was not taken, or what to do about the value. */
  readonly note?: string;
}

/** The value of a setting in words, such as `2048, 512`. Long lists, such as names of classes, are only counted. */
export function settingText(value: unknown): string {
  if (!Array.isArray(value)) return String(value ?? 'none');
  return value.length > 8 || value.some(Array.isArray) ? `${value.length} of them` : value.join(', ');
}

/** What is not in names and shapes. */
export interface ModelSettings {
  /** Side of the images, pixels; of models that take pictures of any ratio, the most of the short side. */
  readonly imageSize?: number;
  readonly classNames: readonly string[] | null;
  readonly report: readonly Setting[];
  /** What a person should look at before the model is used. */
  readonly warnings?: readonly string[];
  readonly batchNorm?: BatchNormHandling;
}

/** What the caller of a conversion says of a model. */
export interface SettingsOptions {
  readonly classNames?: readonly string[];
  readonly dense?: DenseOptions;
  readonly stemStride?: StemStride;
  readonly uisMamba?: Partial<UisMambaWeakening>;
}

/** An input or output of a graph: float32 unless it says otherwise; a size of -1 is not fixed. */
export interface GraphEnd {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: 'float32' | 'int32';
}

/** A graph, its inputs and default outputs, and nodes that may be asked for beside them. */
export interface NetworkGraph {
  readonly graph: GraphBuilder;
  /** By default `image` [N, H, W, 3]. */
  readonly inputs?: readonly GraphEnd[];
  readonly outputs: readonly GraphEnd[];
  readonly namedNodes: readonly string[];
}

/** A network whose graph is built from one checkpoint file. */
export interface FileArchitecture<Sizes, Settings extends ModelSettings = ModelSettings>
  extends Architecture<Sizes> {
  /** How states travel unless somebody asks for something else, where it is not as in GrootV; null where no option says so. */
  readonly scan?: GrootVScan | null;
  /** @throws {ArchitectureError} when something beside the tensors says that they are another model's */
  check(checkpoint: Checkpoint): void;
  /** @throws {ArchitectureError} when an option does not fit, or the checkpoint says what this network does not do */
  settings(sizes: Sizes, checkpoint: Checkpoint, options: SettingsOptions): Settings;
  /** The sizes with what settings decide of them, such as the stride of a stem. Absent: they decide nothing. */
  complete?(sizes: Sizes, settings: Settings): Sizes;
  /** No weight is read. */
  build(sizes: Sizes, parameters: Parameters, settings: Settings): NetworkGraph;
  /** What training changes: running statistics are not counted. */
  countParameters(state: StateShapes): number;
  /** `userDefinedMetadata` of the model. */
  metadata(sizes: Sizes, settings: Settings, details: ModelDetails): object;
}

/** What is known of a model beside its sizes and settings. */
export interface ModelDetails {
  readonly parameters: number;
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
}
