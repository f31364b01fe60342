/**
 * LoRA adapters in the layout of PEFT, merged into the weights (E. Hu et al., "LoRA", 2021, section 4.1): W + scaling * B A. A
 * tied output head changes together with the embeddings.
 */

import type { Adapter, LowRank } from '../../plugin/models/adapter.js';
import { isRecord } from '../../plugin/models/checks.js';
import type { SourceFile } from '../../plugin/models/grootl_metadata.js';
import { transpose } from '../../plugin/torch_layout.js';
import { ArchitectureError } from '../errors.js';
import { withoutHolders, withoutWrappers } from '../names.js';
import type { Parameter } from '../parameters.js';
import { quote } from '../pytorch/errors.js';
import type { PassOptions } from '../pytorch/file_pass.js';
import type { IgnoredEntry } from '../pytorch/state_dict.js';
import { type JsonObject, readJsonObject, showJson } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';
import { openSingle } from './state.js';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_FILES: readonly string[] = ['adapter_model.safetensors', 'adapter_model.bin'];
/** Embeddings and normalisations trained in full beside an adapter, as the authors' scripts save them. */
export const TRAINED_FILE = 'trainable_params.bin';

const LOW_RANK = /^(.+)\.lora_(embedding_)?([AB])(?:\.(?!weight$)[^.]+)?(?:\.weight)?$/;
/** Wrappers of PEFT around a module that it adapts, and around one that it stores in full. */
const BASE_LAYER = /\.base_layer\./;
const SAVED = /\.modules_to_save\.(?:[^.]+\.(?=[^.]+$))?/;
const REPLACED = /\.original_module\./;

/** Settings that would make merging a different operation. */
const UNSUPPORTED: readonly (readonly [key: string, harmless: (value: unknown) => boolean])[] = [
  ['use_dora', (value) => !value],
  ['bias', (value) => value === undefined || value === null || value === 'none'],
  ['lora_bias', (value) => !value],
  ['fan_in_fan_out', (value) => !value],
  ['layer_replication', (value) => !value],
];

/** A module's matrices, and the factor of their product. */
interface LowRankPair {
  readonly a: Parameter;
  readonly b: Parameter;
  readonly embedding: boolean;
  readonly scaling: number;
}

type State = ReadonlyMap<string, Parameter>;

/** An opened adapter, whose values have not been read. */
export interface OpenedAdapter {
  readonly source: SourceFile;
  /** The file of parameters trained in full beside it, if any. */
  readonly trained?: SourceFile;
  readonly ignored: readonly IgnoredEntry[];
  /**
   * The weights with the adapter merged into them; values are computed when they are read.
   * @param canonical maps a name without wrappers and holders to the model's parameter name
   */
  merge(state: State, canonical: (name: string) => string): Map<string, Parameter>;
  /**
   * Reads the values of an adapter that changes only matrices.
   * @throws {ArchitectureError} if other parameters were trained in full
   */
  read(canonical: (name: string) => string): Promise<Adapter>;
}

/**
 * @throws {ArchitectureError} if it is not a LoRA adapter, or one that cannot be merged
 * @throws {CheckpointError} for its files
 */
export async function openAdapter(
  directory: SourceDirectory,
  options: PassOptions = {},
): Promise<OpenedAdapter> {
  const config = await readAdapterConfig(directory);
  if (!config)
    throw new ArchitectureError(`${directory.name} has no ${ADAPTER_CONFIG}: it is not an adapter`);
  for (const file of ADAPTER_FILES) {
    if (!(await directory.open(file))) continue;
    const { entries, ignored, source } = await openSingle(directory, file, options);
    const trained = (await directory.open(TRAINED_FILE))
      ? await openSingle(directory, TRAINED_FILE, options)
      : undefined;
    return {
      source,
      trained: trained && { file: TRAINED_FILE, sha256: trained.source.sha256 },
      ignored: [...ignored, ...(trained?.ignored ?? [])],
      merge(state, canonical) {
        const base = trained ? replaced(state, trained.entries, canonical, TRAINED_FILE) : state;
        return mergeLowRank(base, entries, config, canonical);
      },
      async read(canonical) {
        const { model: whole, lowRank } = unwrapPeft(withoutWrappers(entries));
        const [name] = [...whole.keys(), ...(trained?.entries.keys() ?? [])];
        if (name !== undefined) {
          throw new ArchitectureError(
            `the adapter in ${directory.name} has ${quote(name)}, which was trained whole: it cannot be attached to a ` +
              'model, give it with the HuggingFace folder of the model when that is converted',
          );
        }
        return readLowRank(pairsOf(lowRank, config, canonical));
      },
    };
  }
  throw new ArchitectureError(
    `${directory.name} has no weights of an adapter: expected ${ADAPTER_FILES.join(' or ')}`,
  );
}

/** The configuration of an adapter, or undefined if there is none. @throws as {@link openAdapter} */
export async function readAdapterConfig(directory: SourceDirectory): Promise<JsonObject | undefined> {
  const config = await readJsonObject(directory, ADAPTER_CONFIG);
  if (!config) return undefined;
  if (config.peft_type !== 'LORA') {
    throw new ArchitectureError(
      `adapter_config.json describes an adapter of type ${quoteJson(config.peft_type)}, expected "LORA"`,
    );
  }
  for (const [key, harmless] of UNSUPPORTED) {
    if (!harmless(config[key])) {
      throw new ArchitectureError(
        `adapter_config.json has ${key} ${quoteJson(config[key])}, which cannot be merged`,
      );
    }
  }
  return config;
}

function quoteJson(value: unknown): string {
  return typeof value === 'object' && value !== null ? showJson(value) : quote(String(value));
}

/** The state dict of a model wrapped by PEFT: the model's own parameters, and the low-rank ones. */
export interface WrappedState<Tensor> {
  /** By names without the segments that PEFT adds. */
  readonly model: ReadonlyMap<string, Tensor>;
  readonly lowRank: ReadonlyMap<string, Tensor>;
  readonly ignored: readonly IgnoredEntry[];
}

/** Separates the parameters of a model from those of an adapter around it; without PEFT's names, all belong to the model. */
export function unwrapPeft<Tensor>(state: ReadonlyMap<string, Tensor>): WrappedState<Tensor> {
  const model = new Map<string, Tensor>();
  const lowRank = new Map<string, Tensor>();
  const ignored: IgnoredEntry[] = [];
  const saved = new Set<string>();
  for (const name of state.keys()) if (SAVED.test(name)) saved.add(name.replace(SAVED, '.'));
  for (const [name, tensor] of state) {
    const plain = name.replace(BASE_LAYER, '.').replace(SAVED, '.').replace(REPLACED, '.');
    if (LOW_RANK.test(name)) lowRank.set(name, tensor);
    else if (saved.has(plain) && !SAVED.test(name)) {
      ignored.push({ name, reason: 'replaced by what was trained beside an adapter (modules_to_save)' });
    } else model.set(plain, tensor);
  }
  return { model, lowRank, ignored };
}

/**
 * W + scaling * B A for every module that has low-rank parameters; parameters that are stored in full replace the model's.
 * @throws {ArchitectureError} if the model does not have such a parameter
 */
export function mergeLowRank(
  state: State,
  adapter: State,
  config: JsonObject,
  canonical: (name: string) => string,
): Map<string, Parameter> {
  const { model: whole, lowRank } = unwrapPeft(withoutWrappers(adapter));
  const merged = replaced(state, whole, canonical);
  for (const [weight, pair] of pairsOf(lowRank, config, canonical, merged)) {
    merged.set(weight, mergedParameter(weight, merged.get(weight) as Parameter, pair));
  }
  return merged;
}

/**
 * The pairs of matrices by the parameter that they change.
 * @param state of the model, if known
 * @throws {ArchitectureError} if one of the two is missing or duplicated, or the model does not have the parameter
 */
function pairsOf(
  lowRank: State,
  config: JsonObject,
  canonical: (name: string) => string,
  state?: State,
): Map<string, LowRankPair> {
  const sides = new Map<string, { a?: Parameter; b?: Parameter; embedding: boolean }>();
  for (const [name, tensor] of lowRank) {
    const [, module, embedding, side] = LOW_RANK.exec(name) as RegExpExecArray;
    const weight = canonical(withoutHolders(`${module}.weight`));
    const pair = sides.get(weight) ?? { embedding: embedding !== undefined };
    const key = side === 'A' ? 'a' : 'b';
    if (pair[key]) {
      throw new ArchitectureError(`the adapter has several matrices ${side} for ${quote(weight)}`);
    }
    pair[key] = tensor;
    sides.set(weight, pair);
  }
  if (sides.size === 0) throw new ArchitectureError('the adapter has no LoRA weights');
  const pairs = new Map<string, LowRankPair>();
  for (const [weight, { a, b, embedding }] of sides) {
    if (state && !state.has(weight)) {
      throw new ArchitectureError(`the adapter changes ${quote(weight)}, which the model does not have`);
    }
    const module = moduleOf(weight);
    if (!a || !b) {
      const given = [a, b].map((side) => (side ? `[${side.shape.join(', ')}]` : 'none')).join(' and ');
      throw new ArchitectureError(`the adapter's A and B for ${quote(module)} are ${given}, expected both`);
    }
    pairs.set(weight, { a, b, embedding, scaling: scaling(config, module, a) });
  }
  return pairs;
}

function moduleOf(weight: string): string {
  return weight.replace(/\.weight$/, '');
}

async function readLowRank(pairs: ReadonlyMap<string, LowRankPair>): Promise<Adapter> {
  const modules: LowRank[] = [];
  for (const [weight, { a, b, embedding, scaling }] of pairs) {
    modules.push({
      module: moduleOf(weight),
      isEmbedding: embedding,
      scaling,
      a: await readMatrix(weight, a),
      b: await readMatrix(weight, b),
    });
  }
  return { modules };
}

async function readMatrix(weight: string, parameter: Parameter): Promise<LowRank['a']> {
  const [rows, columns, ...rest] = parameter.shape;
  if (columns === undefined || rest.length > 0) {
    throw new ArchitectureError(
      `the adapter has the shape [${parameter.shape.join(', ')}] for ${quote(moduleOf(weight))}, expected matrices`,
    );
  }
  return { shape: [rows, columns], values: await parameter.readFloat32() };
}

/** `modules_to_save`, and embeddings that fine-tuning resized, are stored in full. */
function replaced(
  state: State,
  whole: State,
  canonical: (name: string) => string,
  file?: string,
): Map<string, Parameter> {
  const merged = new Map(state);
  for (const [name, tensor] of unwrapPeft(withoutWrappers(whole)).model) {
    const plain = canonical(withoutHolders(name));
    if (!state.has(plain)) {
      throw new ArchitectureError(
        file === undefined
          ? `the adapter has ${quote(name)}, which is not a LoRA weight of this model`
          : `${file} has ${quote(name)}, which the model does not have`,
      );
    }
    merged.set(plain, tensor);
  }
  return merged;
}

function scaling(config: JsonObject, module: string, a: Parameter): number {
  const alpha = patterned(config.alpha_pattern, module) ?? config.lora_alpha;
  const rank = a.shape[0] ?? 0;
  if (typeof alpha !== 'number' || !Number.isFinite(alpha) || rank < 1) {
    throw new ArchitectureError(`adapter_config.json has lora_alpha ${quoteJson(alpha)}, expected a number`);
  }
  return alpha / (config.use_rslora ? Math.sqrt(rank) : rank);
}

/** PEFT's patterns match modules by the end of their names. */
function patterned(pattern: unknown, module: string): unknown {
  if (!isRecord(pattern)) return undefined;
  const key = Object.keys(pattern).find((end) => module === end || module.endsWith(`.${end}`));
  return key === undefined ? undefined : pattern[key];
}

function mergedParameter(
  weight: string,
  base: Parameter,
  { a, b, embedding, scaling }: LowRankPair,
): Parameter {
  const [rows, columns] = base.shape;
  // The product of an embedding is transposed: A is [r, vocabulary], B [hidden, r].
  const [left, right] = embedding ? [columns, rows] : [rows, columns];
  const [rank] = a.shape;
  if (base.shape.length !== 2 || `${a.shape}` !== `${[rank, right]}` || `${b.shape}` !== `${[left, rank]}`) {
    const given = [a, b].map(({ shape }) => `[${shape.join(', ')}]`).join(' and ');
    throw new ArchitectureError(
      `the adapter's A and B for ${quote(moduleOf(weight))} are ${given}, expected [r, ${right}] and [${left}, r]`,
    );
  }
  return {
    shape: base.shape,
    elements: base.elements,
    async readFloat32() {
      const values = (await base.readFloat32()).slice();
      const [aValues, bValues] = [await a.readFloat32(), await b.readFloat32()];
      addProduct(
        values,
        scaling,
        embedding ? transpose(aValues, [rank, right], [1, 0]) : bValues,
        embedding ? transpose(bValues, [left, rank], [1, 0]) : aValues,
        columns,
      );
      return values;
    },
  };
}

/** values[rows, columns] += scale * left[rows, r] @ right[r, columns]. */
function addProduct(
  values: Float32Array,
  scale: number,
  left: Float32Array,
  right: Float32Array,
  columns: number,
): void {
  const rank = right.length / columns;
  const row = new Float64Array(columns);
  for (let i = 0; i * columns < values.length; i++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = left[i * rank + k];
      for (let j = 0; j < columns; j++) row[j] += factor * right[k * columns + j];
    }
    for (let j = 0; j < columns; j++) values[i * columns + j] += scale * row[j];
  }
}
