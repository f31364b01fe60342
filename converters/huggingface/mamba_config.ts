/** config.json of a Mamba model, in the layout of HuggingFace transformers (MambaConfig). */
import { ArchitectureError } from '../errors.js';
import { quote } from '../pytorch/errors.js';
import { type JsonObject, readJsonObject } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';

/** What config.json says; undefined where it does not. */
export interface MambaConfig {
  readonly layers?: number;
  readonly hidden?: number;
  readonly intermediate?: number;
  readonly states?: number;
  readonly taps?: number;
  readonly stepRank?: number;
  readonly vocabulary?: number;
  readonly tiedHead: boolean;
  readonly bias: boolean;
  readonly convolutionBias: boolean;
  readonly epsilon: number;
  readonly tokens: { readonly [meaning in TokenMeaning]: number | null };
}

type TokenMeaning = 'beginOfText' | 'endOfText' | 'padding';

/** @throws {ArchitectureError} when there is no config.json, or it describes another kind of model */
export async function readMambaConfig(directory: SourceDirectory): Promise<MambaConfig> {
  const json = await readJsonObject(directory, 'config.json');
  if (!json) throw new ArchitectureError(`${directory.name} has no config.json: it is no HuggingFace model`);
  const type = json.model_type;
  if (type !== undefined && type !== 'mamba') {
    throw new ArchitectureError(`config.json describes a model of type ${show(type)}, wanted "mamba"`);
  }
  const activation = json.hidden_act ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') {
    throw new ArchitectureError(`config.json asks for the activation ${show(activation)}, wanted "silu"`);
  }
  const hidden = size(json, 'hidden_size');
  const expand = number(json, 'expand');
  const stepRank =
    json.time_step_rank === 'auto' ? hidden && Math.ceil(hidden / 16) : size(json, 'time_step_rank');
  return {
    layers: size(json, 'num_hidden_layers') ?? size(json, 'n_layer'),
    hidden,
    intermediate: size(json, 'intermediate_size') ?? (hidden && expand && Math.floor(expand * hidden)),
    states: size(json, 'state_size'),
    taps: size(json, 'conv_kernel'),
    stepRank,
    vocabulary: size(json, 'vocab_size'),
    tiedHead: flag(json, 'tie_word_embeddings', true),
    bias: flag(json, 'use_bias', false),
    convolutionBias: flag(json, 'use_conv_bias', true),
    epsilon: number(json, 'layer_norm_epsilon') ?? 1e-5,
    tokens: {
      beginOfText: token(json, 'bos_token_id'),
      endOfText: token(json, 'eos_token_id'),
      padding: token(json, 'pad_token_id'),
    },
  };
}

function number(json: JsonObject, key: string): number | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new ArchitectureError(`config.json has ${key} ${show(value)}, wanted a number above 0`);
}

function size(json: JsonObject, key: string): number | undefined {
  const value = number(json, key);
  if (value === undefined || Number.isSafeInteger(value)) return value;
  throw new ArchitectureError(`config.json has ${key} ${value}, wanted an integer`);
}

function flag(json: JsonObject, key: string, otherwise: boolean): boolean {
  const value = json[key] ?? otherwise;
  if (typeof value === 'boolean') return value;
  throw new ArchitectureError(`config.json has ${key} ${show(value)}, wanted true or false`);
}

/** Some models list several end tokens; the first is the one that is written. */
function token(json: JsonObject, key: string): number | null {
  const value = Array.isArray(json[key]) ? json[key][0] : json[key];
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

function show(value: unknown): string {
  return typeof value === 'string' ? quote(value) : quote(JSON.stringify(value) ?? 'nothing').slice(1, -1);
}
