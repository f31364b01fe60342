/** config.json of a Mamba model, as written by transformers (MambaConfig) or by the original code (state-spaces/mamba). */
import { isRecord } from '../../plugin/models/checks.js';
import { ArchitectureError } from '../errors.js';
import { type JsonObject, readJsonObject, showJson } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';

/** The values in config.json; undefined if missing. */
export interface MambaConfig {
  /** Keys of the sizes in config.json, for messages. */
  readonly keys: typeof TRANSFORMERS_KEYS;
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

type SizeName = 'layers' | 'hidden' | 'intermediate' | 'states' | 'taps' | 'stepRank' | 'vocabulary';

const TRANSFORMERS_KEYS: Readonly<Record<SizeName, string>> = {
  layers: 'num_hidden_layers',
  hidden: 'hidden_size',
  intermediate: 'intermediate_size',
  states: 'state_size',
  taps: 'conv_kernel',
  stepRank: 'time_step_rank',
  vocabulary: 'vocab_size',
};

const ORIGINAL_KEYS: typeof TRANSFORMERS_KEYS = {
  layers: 'n_layer',
  hidden: 'd_model',
  intermediate: 'expand',
  states: 'd_state',
  taps: 'd_conv',
  stepRank: 'dt_rank',
  vocabulary: 'vocab_size',
};

/** @throws {ArchitectureError} if there is no config.json, or it describes another kind of model */
export async function readMambaConfig(directory: SourceDirectory): Promise<MambaConfig> {
  const json = await readJsonObject(directory, 'config.json');
  if (!json) throw new ArchitectureError(await describeNoConfig(directory));
  const type = json.model_type;
  if (type !== undefined && type !== 'mamba') {
    throw new ArchitectureError(`config.json describes a model of type ${showJson(type)}, expected "mamba"`);
  }
  if (json.quantization_config !== undefined && json.quantization_config !== null) {
    throw new ArchitectureError(
      'config.json describes quantised weights (quantization_config); expected weights of floating point',
    );
  }
  return type === undefined && json.d_model !== undefined ? originalConfig(json) : transformersConfig(json);
}

/** Why a folder is not a model; its content may show where the model is. */
async function describeNoConfig(directory: SourceDirectory): Promise<string> {
  const folders = ((await directory.list?.()) ?? []).filter((name) => name.endsWith('/'));
  const below =
    folders.length > 0 ? `; it has sub-folders: ${folders.slice(0, 5).map(showJson).join(', ')}` : '';
  return `${directory.name} has no config.json: it is not a HuggingFace model${below}`;
}

function transformersConfig(json: JsonObject): MambaConfig {
  const activation = json.hidden_act ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') {
    throw new ArchitectureError(
      `config.json asks for the activation ${showJson(activation)}, expected "silu"`,
    );
  }
  const hidden = size(json, 'hidden_size') ?? size(json, 'd_model');
  const expand = number(json, 'expand');
  return {
    keys: TRANSFORMERS_KEYS,
    layers: size(json, 'num_hidden_layers') ?? size(json, 'n_layer'),
    hidden,
    intermediate: size(json, 'intermediate_size') ?? (hidden && expand && Math.floor(expand * hidden)),
    states: size(json, 'state_size'),
    taps: size(json, 'conv_kernel'),
    stepRank: rank(json, 'time_step_rank', hidden),
    vocabulary: size(json, 'vocab_size'),
    tiedHead: flag(json, 'tie_word_embeddings', true),
    bias: flag(json, 'use_bias', false),
    convolutionBias: flag(json, 'use_conv_bias', true),
    epsilon: number(json, 'layer_norm_epsilon') ?? 1e-5,
    tokens: tokensOf(json),
  };
}

/** The original code's configuration: MambaConfig of mamba_ssm, whose `ssm_cfg` holds the arguments of a layer. */
function originalConfig(json: JsonObject): MambaConfig {
  const layer = json.ssm_cfg ?? {};
  if (!isRecord(layer)) {
    throw new ArchitectureError(`config.json has ssm_cfg ${showJson(layer)}, expected an object`);
  }
  const kind = layer.layer ?? 'Mamba1';
  if (kind !== 'Mamba1') {
    throw new ArchitectureError(`config.json describes layers of type ${showJson(kind)}, expected "Mamba1"`);
  }
  for (const key of ['attn_layer_idx', 'd_intermediate'] as const) {
    const value = json[key];
    if (
      value !== undefined &&
      value !== null &&
      value !== 0 &&
      !(Array.isArray(value) && value.length === 0)
    ) {
      throw new ArchitectureError(
        `config.json has ${key} ${showJson(value)}: layers of attention or MLPs are not part of a Mamba model`,
      );
    }
  }
  if (!flag(json, 'rms_norm', true)) {
    throw new ArchitectureError(
      'config.json has rms_norm false, expected normalisations by the root mean square',
    );
  }
  const hidden = size(json, 'd_model');
  const vocabulary = size(json, 'vocab_size');
  const multiple = size(json, 'pad_vocab_size_multiple') ?? 8;
  return {
    keys: ORIGINAL_KEYS,
    layers: size(json, 'n_layer'),
    hidden,
    intermediate: hidden && Math.floor((number(layer, 'expand') ?? 2) * hidden),
    states: size(layer, 'd_state'),
    taps: size(layer, 'd_conv'),
    stepRank: rank(layer, 'dt_rank', hidden),
    vocabulary: vocabulary && Math.ceil(vocabulary / multiple) * multiple,
    tiedHead: flag(json, 'tie_embeddings', true),
    bias: flag(layer, 'bias', false),
    convolutionBias: flag(layer, 'conv_bias', true),
    epsilon: number(json, 'norm_epsilon') ?? 1e-5,
    tokens: tokensOf(json),
  };
}

function rank(json: JsonObject, key: string, hidden: number | undefined): number | undefined {
  return json[key] === 'auto' ? hidden && Math.ceil(hidden / 16) : size(json, key);
}

function tokensOf(json: JsonObject): MambaConfig['tokens'] {
  return {
    beginOfText: token(json, 'bos_token_id'),
    endOfText: token(json, 'eos_token_id'),
    padding: token(json, 'pad_token_id'),
  };
}

function number(json: JsonObject, key: string): number | undefined {
  const value = json[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new ArchitectureError(`config.json has ${key} ${showJson(value)}, expected a number above 0`);
}

function size(json: JsonObject, key: string): number | undefined {
  const value = number(json, key);
  if (value === undefined || Number.isSafeInteger(value)) return value;
  throw new ArchitectureError(`config.json has ${key} ${value}, expected an integer`);
}

function flag(json: JsonObject, key: string, otherwise: boolean): boolean {
  const value = json[key] ?? otherwise;
  if (typeof value === 'boolean') return value;
  throw new ArchitectureError(`config.json has ${key} ${showJson(value)}, expected true or false`);
}

/** Some models list several end tokens; the first one is used. */
function token(json: JsonObject, key: string): number | null {
  const value = Array.isArray(json[key]) ? json[key][0] : json[key];
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}
