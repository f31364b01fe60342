/**
 * LoRA adapters in the layout of PEFT, merged into the weights (E. Hu et al., "LoRA", 2021, section 4.1):
 * W + scaling * B A. A tied output head changes with the embeddings.
 */
import type { SourceFile } from '../../plugin/models/grootl_metadata.js';
import { ArchitectureError } from '../errors.js';
import type { Parameter } from '../graph/torch_layers.js';
import { quote } from '../pytorch/errors.js';
import type { PassOptions } from '../pytorch/file_pass.js';
import { isObject, type JsonObject, readJsonObject } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';
import { openSingle } from './state.js';

const FILES = ['adapter_model.safetensors', 'adapter_model.bin'] as const;

/** PEFT wraps the model twice. */
const PREFIX = /^base_model\.model\./;
const LOW_RANK = /^(.+)\.lora_(embedding_)?([AB])(?:\.weight)?$/;

/** Settings under which merging would be something else. */
const UNSUPPORTED: readonly (readonly [key: string, harmless: (value: unknown) => boolean])[] = [
  ['use_dora', (value) => !value],
  ['bias', (value) => value === undefined || value === null || value === 'none'],
  ['lora_bias', (value) => !value],
  ['fan_in_fan_out', (value) => !value],
  ['layer_replication', (value) => !value],
];

interface LowRank {
  a?: Parameter;
  b?: Parameter;
  embedding: boolean;
}

/** An adapter, not yet read. */
export interface Adapter {
  readonly source: SourceFile;
  /** The weights with the adapter merged into them; values are computed when they are read. */
  merge(state: ReadonlyMap<string, Parameter>): Map<string, Parameter>;
}

/** @throws {ArchitectureError} when it is no LoRA adapter that can be merged; {CheckpointError} for its files */
export async function openAdapter(directory: SourceDirectory, options: PassOptions = {}): Promise<Adapter> {
  const config = await readJsonObject(directory, 'adapter_config.json');
  if (!config) throw new ArchitectureError(`${directory.name} has no adapter_config.json: it is no adapter`);
  if (config.peft_type !== 'LORA') {
    throw new ArchitectureError(
      `adapter_config.json describes an adapter of type ${quote(String(config.peft_type))}, wanted "LORA"`,
    );
  }
  for (const [key, harmless] of UNSUPPORTED) {
    if (!harmless(config[key])) {
      throw new ArchitectureError(
        `adapter_config.json has ${key} ${quote(String(config[key]))}, which cannot be merged`,
      );
    }
  }
  for (const file of FILES) {
    if (!(await directory.open(file))) continue;
    const { entries, source } = await openSingle(directory, file, options);
    return { source, merge: (state) => merge(state, entries, config) };
  }
  throw new ArchitectureError(`${directory.name} has no weights of an adapter: wanted ${FILES.join(' or ')}`);
}

function merge(
  state: ReadonlyMap<string, Parameter>,
  adapter: ReadonlyMap<string, Parameter>,
  config: JsonObject,
): Map<string, Parameter> {
  const merged = new Map(state);
  const modules = new Map<string, LowRank>();
  for (const [name, tensor] of adapter) {
    const plain = name.replace(PREFIX, '');
    const [, module, embedding, side] = LOW_RANK.exec(plain) ?? [];
    if (module) {
      const pair = modules.get(module) ?? { embedding: embedding !== undefined };
      pair[side === 'A' ? 'a' : 'b'] = tensor;
      modules.set(module, pair);
    } else {
      merged.set(replacedName(state, name, plain), tensor);
    }
  }
  if (modules.size === 0) throw new ArchitectureError('the adapter has no LoRA weights');
  for (const [module, pair] of modules) {
    const name = `${module}.weight`;
    const base = merged.get(name);
    if (!base)
      throw new ArchitectureError(`the adapter changes ${quote(name)}, which the model does not have`);
    merged.set(name, mergedParameter(module, base, pair, scaling(config, module, pair)));
  }
  return merged;
}

/** `modules_to_save`, and embeddings that fine-tuning has resized, are stored whole. */
function replacedName(state: ReadonlyMap<string, Parameter>, name: string, plain: string): string {
  const replaced = plain.replace(/\.(modules_to_save|base_layer)\./, '.').replace('.default.', '.');
  if (state.has(replaced)) return replaced;
  throw new ArchitectureError(`the adapter has ${quote(name)}, which is no LoRA weight of this model`);
}

function scaling(config: JsonObject, module: string, { a }: LowRank): number {
  const alpha = patterned(config.alpha_pattern, module) ?? config.lora_alpha;
  const rank = a?.shape[0] ?? 0;
  if (typeof alpha !== 'number' || !Number.isFinite(alpha) || rank < 1) {
    throw new ArchitectureError(
      `adapter_config.json has lora_alpha ${quote(String(alpha))}, wanted a number`,
    );
  }
  return alpha / (config.use_rslora ? Math.sqrt(rank) : rank);
}

/** PEFT's patterns name modules by the end of their names. */
function patterned(pattern: unknown, module: string): unknown {
  if (!isObject(pattern)) return undefined;
  const key = Object.keys(pattern).find((end) => module === end || module.endsWith(`.${end}`));
  return key === undefined ? undefined : pattern[key];
}

function mergedParameter(
  module: string,
  base: Parameter,
  { a, b, embedding }: LowRank,
  scale: number,
): Parameter {
  const [rows, columns] = base.shape;
  // An embedding's product is transposed: A is [r, vocabulary], B [hidden, r].
  const [left, right] = embedding ? [columns, rows] : [rows, columns];
  const rank = a?.shape[0];
  if (
    !a ||
    !b ||
    base.shape.length !== 2 ||
    `${a.shape}` !== `${[rank, right]}` ||
    `${b.shape}` !== `${[left, rank]}`
  ) {
    const given = [a, b].map((side) => (side ? `[${side.shape.join(', ')}]` : 'none')).join(' and ');
    throw new ArchitectureError(
      `the adapter's A and B for ${quote(module)} are ${given}, wanted [r, ${right}] and [${left}, r]`,
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
        scale,
        embedding ? transpose(aValues, rank as number, right) : bValues,
        embedding ? transpose(bValues, left, rank as number) : aValues,
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

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const moved = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) moved[j * rows + i] = values[i * columns + j];
  }
  return moved;
}
