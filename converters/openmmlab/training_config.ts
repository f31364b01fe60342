/**
 * What checkpoints of mmsegmentation and mmdetection store in addition to their weights: `meta` with class names, their colours,
 * and the whole configuration as text. Reads the keys of 0.x and 1.x (mmdetection: 2.x) and those of later versions.
 */
import { EXPORTED } from '../../plugin/models/grootv_metadata.js';
import type { Checkpoint } from '../pytorch/checkpoint.js';
import { quote } from '../pytorch/errors.js';
import { PickleTuple, type PickleValue } from '../pytorch/pickle_values.js';
import { configValue } from '../pytorch/state_dict.js';
import { type ConfigDict, type ConfigValue, readConfigText, valueAt } from './config_text.js';

/** Where evaluation pipelines are, the most specific first. */
const TEST_PIPELINES: readonly (readonly string[])[] = [
  ['test_pipeline'],
  ['data', 'test', 'pipeline'],
  ['test_dataloader', 'dataset', 'pipeline'],
  ['data', 'val', 'pipeline'],
  ['val_dataloader', 'dataset', 'pipeline'],
];
/** Maximum nesting of pipelines within transforms, as in `MultiScaleFlipAug`. */
const MAX_NESTING = 4;

const CONFIGS = ['config', 'cfg'];
const CLASS_NAMES = [
  ['meta', 'CLASSES'],
  ['meta', 'dataset_meta', 'classes'],
  ['meta', 'dataset_meta', 'CLASSES'],
];
const PALETTES = [
  ['meta', 'PALETTE'],
  ['meta', 'dataset_meta', 'palette'],
  ['meta', 'dataset_meta', 'PALETTE'],
];

/** For files exported by this package: a safetensors file keeps strings separate from tensors. */
const EXPORTED_AT = '__metadata__';

/** A value in a checkpoint, and the keys that lead to it. */
export interface Stored {
  /** For example `meta.CLASSES`. */
  readonly where: string;
  readonly value: unknown;
}

export class TrainingConfig {
  /** What of the configuration could not be read, on one line. */
  readonly problem: string | undefined;
  /** The key of the configuration, for messages. */
  readonly where: string;
  private readonly values: ConfigDict;
  private readonly transforms: readonly ConfigDict[];

  constructor(private readonly checkpoint: Checkpoint) {
    const key = CONFIGS.find((key) => configValue(checkpoint, ['meta', key]) !== undefined);
    const exported = checkpoint.metadata.get(EXPORTED.config);
    const text = key === undefined ? exported : configValue(checkpoint, ['meta', key]);
    const isExported = key === undefined && exported !== undefined;
    this.where = isExported ? `${EXPORTED_AT}.${EXPORTED.config}` : `meta.${key ?? CONFIGS[0]}`;
    const read = typeof text === 'string' ? readConfigText(text) : undefined;
    this.values = read?.values ?? new Map();
    const absent = text === undefined ? 'the checkpoint has no configuration' : 'it is not text';
    this.problem = read ? read.problem : absent;
    const pipeline = TEST_PIPELINES.map((keys) => valueAt(this.values, ...keys)).find(Array.isArray);
    this.transforms = pipeline ? flattened(pipeline) : [];
  }

  /** A value under `model`. */
  model(...keys: readonly string[]): ConfigValue {
    return valueAt(this.values, 'model', ...keys);
  }

  /** A value under `test_cfg`, which old configurations have next to `model`. */
  testing(...keys: readonly string[]): ConfigValue {
    return this.model('test_cfg', ...keys) ?? valueAt(this.values, 'test_cfg', ...keys);
  }

  /** A value of the preprocessing that follows the pipeline since mmengine. */
  preprocessor(...keys: readonly string[]): ConfigValue {
    return this.model('data_preprocessor', ...keys) ?? valueAt(this.values, 'data_preprocessor', ...keys);
  }

  /** An argument of the first evaluation transform of matching type that has it. */
  transform(type: RegExp, ...names: readonly string[]): ConfigValue {
    for (const transform of this.transforms) {
      if (!this.isOf(transform, type)) continue;
      const name = names.find((name) => transform.get(name) !== undefined);
      if (name !== undefined) return transform.get(name);
    }
    return undefined;
  }

  hasTransform(type: RegExp): boolean {
    return this.transforms.some((transform) => this.isOf(transform, type));
  }

  get classNames(): Stored | undefined {
    return this.stored(CLASS_NAMES) ?? this.exported(EXPORTED.classNames);
  }

  get palette(): Stored | undefined {
    return this.stored(PALETTES) ?? this.exported(EXPORTED.palette);
  }

  private isOf(transform: ConfigDict, type: RegExp): boolean {
    const name = transform.get('type');
    return typeof name === 'string' && type.test(name);
  }

  /** Text that is not JSON is returned as it is, which every check for a list refuses. */
  private exported(key: string): Stored | undefined {
    const json = this.checkpoint.metadata.get(key);
    if (json === undefined) return undefined;
    const where = `${EXPORTED_AT}.${key}`;
    try {
      return { where, value: JSON.parse(json) };
    } catch {
      return { where, value: json };
    }
  }

  private stored(paths: readonly (readonly string[])[]): Stored | undefined {
    for (const path of paths) {
      const value = configValue(this.checkpoint, path);
      if (value !== undefined && value !== null) return { where: path.join('.'), value: plain(value) };
    }
    return undefined;
  }
}

/** The transforms of a pipeline, including nested ones. */
function flattened(pipeline: ConfigValue, nesting = 0): ConfigDict[] {
  if (!Array.isArray(pipeline) || nesting > MAX_NESTING) return [];
  return pipeline.flatMap((item) => {
    if (!(item instanceof Map)) return flattened(item, nesting + 1);
    return [item, ...flattened(item.get('transforms'), nesting + 1)];
  });
}

/** Lists and tuples as arrays, up to two levels deep: names, and rows of numbers. */
function plain(value: PickleValue, depth = 0): unknown {
  const list = value instanceof PickleTuple ? value.items : value;
  if (!Array.isArray(list)) return value;
  return depth === 2 ? quote('a list') : list.map((item) => plain(item, depth + 1));
}
