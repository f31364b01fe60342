/** What is known of a kind of network: how it is recognised, and how its graph is built. */
import type { GraphBuilder } from '../graph/graph_builder.js';
import type { Parameter, Parameters } from '../parameters.js';
import type { Checkpoint } from '../pytorch/checkpoint.js';
import type { Disagreements, StateShapes } from '../state_shapes.js';

/** A network as its state dicts show it. */
export interface Architecture<Sizes> {
  /** Such as `GrootV`. */
  readonly family: string;
  /** What a file of it is called in a message: `GrootV checkpoint`. */
  readonly title: string;
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

/** A network whose graph is built from one checkpoint file. */
export interface FileArchitecture<Sizes> extends Architecture<Sizes> {
  /** @throws {ArchitectureError} when something beside the tensors says that they are another model's */
  check(checkpoint: Checkpoint): void;
  /** The graph, its default outputs, and nodes that may be asked for beside them. No weight is read. */
  build(
    sizes: Sizes,
    parameters: Parameters,
  ): {
    readonly graph: GraphBuilder;
    readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
    readonly namedNodes: readonly string[];
  };
  /** What training changes: running statistics are not counted. */
  countParameters(state: StateShapes): number;
  /** `userDefinedMetadata` of the model. @throws {ArchitectureError} when class names do not fit the head */
  metadata(sizes: Sizes, details: ModelDetails): object;
}

/** What is known of a model beside its sizes. */
export interface ModelDetails {
  readonly parameters: number;
  /** Side of the images, pixels. */
  readonly imageSize: number;
  readonly classNames?: readonly string[];
  readonly source: { readonly file: string; readonly sha256: string; readonly weights: string };
  readonly quantization: string;
  readonly nodes: readonly string[];
}
