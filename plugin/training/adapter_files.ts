/** LoRA adapters in the layout of PEFT: adapter_config.json and adapter_model.safetensors. */
import type { Adapter, LowRank } from '../models/adapter.js';
import { encodeSafetensors } from '../models/safetensors_writer.js';

/** Prefix that PEFT adds to the names of a model's modules. */
const PREFIX = 'base_model.model.';

/** Returns the names of a module's matrices A and B, with their values if it has any. */
export function parametersOf(module: LowRank): [name: string, matrix: LowRank['a']][];
export function parametersOf(module: Omit<LowRank, 'a' | 'b'>): [name: string, matrix: undefined][];
export function parametersOf({
  module,
  isEmbedding,
  a,
  b,
}: Omit<LowRank, 'a' | 'b'> & Partial<LowRank>): [name: string, matrix: LowRank['a'] | undefined][] {
  const name = (side: 'A' | 'B') =>
    `${PREFIX}${module}.${isEmbedding ? `lora_embedding_${side}` : `lora_${side}.weight`}`;
  return [
    [name('A'), a],
    [name('B'), b],
  ];
}

/** Settings that PEFT stores with an adapter. */
export interface AdapterSettings {
  readonly dropout: number;
  /** Suffixes of the names of adapted modules. */
  readonly targets: readonly string[];
}

/** Returns the files of an adapter by name, in PEFT's format. */
export function adapterFiles(
  { modules }: Adapter,
  { base, dropout, targets }: AdapterSettings & { readonly base: string },
): Record<string, Uint8Array> {
  const [{ a, scaling }] = modules;
  const [rank] = a.shape;
  const others = modules.filter((each) => each.a.shape[0] !== rank || each.scaling !== scaling);
  const pattern = (of: (each: LowRank) => number) =>
    Object.fromEntries(others.map((each) => [each.module, of(each)]));
  const config = {
    alpha_pattern: pattern((each) => each.scaling * each.a.shape[0]),
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: scaling * rank,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: pattern((each) => each.a.shape[0]),
    target_modules: [...targets],
    task_type: 'CAUSAL_LM',
    use_rslora: false,
  };
  const tensors = modules
    .flatMap((each) => parametersOf(each))
    .map(([name, { shape, values }]) => ({ name, dtype: 'F32', shape, data: values }) as const);
  return {
    'adapter_config.json': new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`),
    'adapter_model.safetensors': encodeSafetensors(tensors, { format: 'pt' }),
  };
}
