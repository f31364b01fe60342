/** Metadata of GrootL models, written by the converter and read by `GrootL`: `model.metadata` in tfjs. */
import {
  boolean,
  type Check,
  integer,
  listOf,
  nullable,
  number,
  oneOf,
  optional,
  record,
  text,
} from './checks.js';

/** Architecture of a Mamba language model (A. Gu and T. Dao, "Mamba", 2023), optionally with a tree scan (GrootVL). */
export interface GrootLArchitecture {
  /** `GrootL`, or `Mamba` for the ordinary model without a tree. */
  readonly name: 'GrootL' | 'Mamba';
  /** `tree`: the recurrence along the text plus 0.3 times the tree scan of the prompt; `chain`: the recurrence alone. */
  readonly scan: 'tree' | 'chain';
  readonly layers: number;
  /** Channels between layers. */
  readonly hidden: number;
  /** Channels of the state-space models. */
  readonly intermediate: number;
  /** States per channel. */
  readonly states: number;
  /** Kernel size of the causal convolution. */
  readonly taps: number;
  /** Rank of the projection of dt. */
  readonly stepRank: number;
  /** Rows of the embedding matrix; the tokenizer may define fewer. */
  readonly vocabulary: number;
  /** Whether the output head shares the embedding matrix. */
  readonly tiedHead: boolean;
  /** Added to the mean square in RMSNorm. */
  readonly epsilon: number;
}

/** A file that the model was converted from. */
export interface SourceFile {
  readonly file: string;
  readonly sha256: string;
}

/** `userDefinedMetadata` of model.json and decode.json. */
export interface GrootLMetadata {
  readonly architecture: GrootLArchitecture & { readonly family: 'GrootL'; readonly parameters: number };
  /** Special token ids, if the configuration names them. */
  readonly tokens: {
    readonly beginOfText: number | null;
    readonly endOfText: number | null;
    readonly padding: number | null;
  };
  /** The weights, or the index of weights in several files. */
  readonly source: SourceFile & {
    readonly shards: readonly SourceFile[];
    /** The LoRA adapter that was merged. */
    readonly adapter: SourceFile | null;
    /** Parameters that were fully trained beside the adapter and replaced those of the model. */
    readonly trained?: SourceFile;
  };
  readonly quantization: string;
  /** Nodes that may be requested in addition to the outputs, or fed. */
  readonly nodes: readonly string[];
  readonly converter: { readonly name: 'tfjs-grootvl'; readonly version: string };
  /** Texts of the files beside model.json for a model in a single file, as in IndexedDB: `decode.json`, `tokenizer.json`. */
  readonly files?: Readonly<Record<string, string>>;
}

const SIZE = integer(1, 2 ** 20);
const TOKEN = nullable(integer(0, 2 ** 22));
const FILE = record({ file: optional(text(1000)), sha256: optional(text(100)) });

/** Check of untrusted metadata. */
export const GROOTL_METADATA: Check = record({
  architecture: record({
    family: oneOf('GrootL'),
    name: oneOf('GrootL', 'Mamba'),
    scan: oneOf('tree', 'chain'),
    layers: integer(1, 1024),
    hidden: SIZE,
    intermediate: SIZE,
    states: SIZE,
    taps: integer(1, 1024),
    stepRank: SIZE,
    vocabulary: integer(1, 2 ** 22),
    tiedHead: boolean,
    epsilon: number(0, 1),
    parameters: optional(integer(0)),
  }),
  tokens: record({ beginOfText: TOKEN, endOfText: TOKEN, padding: TOKEN }),
  source: optional(FILE),
  quantization: optional(text(100)),
  nodes: optional(listOf(text(1000), 0, 200_000)),
  converter: optional(record({ name: text(100), version: text(100) })),
  files: optional(record({})),
});
