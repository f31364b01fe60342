/**
 * Settings of UIS-Mamba that names and shapes do not determine: whether and how hidden states are weakened, and the side of
 * cells.
 */
import { problemOf } from '../../../plugin/models/checks.js';
import {
  type UisMambaArchitecture,
  type UisMambaMetadata,
  type UisMambaWeakening,
  WEAKENING_FIELDS,
} from '../../../plugin/models/uis_mamba_metadata.js';
import { ArchitectureError } from '../../errors.js';
import { refuseOptions, SettingsReader } from '../../openmmlab/settings.js';
import type { Checkpoint } from '../../pytorch/checkpoint.js';
import { configValue } from '../../pytorch/state_dict.js';
import type { ModelDetails, ModelSettings, Setting, SettingsOptions } from '../architecture.js';
import { normalizationOf } from '../grootv/preprocessing.js';
import { refuseDense } from '../refused_options.js';

export interface UisMambaSettings extends ModelSettings, UisMambaWeakening {}

/** The defaults of the authors' class. */
export const UIS_MAMBA_DEFAULTS: UisMambaWeakening = { useHsw: false, hswVarphi: 0.7, poolSize: 2 };

interface Choice {
  readonly name: keyof UisMambaWeakening;
  /** Argument of the authors' class. */
  readonly argument: string;
  readonly flag: string;
}

const CHOICES: readonly Choice[] = [
  { name: 'useHsw', argument: 'use_hsw', flag: '--use-hsw' },
  { name: 'hswVarphi', argument: 'hsw_varphi', flag: '--hsw-varphi' },
  { name: 'poolSize', argument: 'pool_size', flag: '--pool-size' },
];

/** Note on the settings if hidden states are not weakened. */
const UNUSED = { note: 'the weights of pruning_module are then not used' };

/** Where training scripts record the arguments of a model. */
const HOLDERS: readonly (readonly string[])[] = [
  [],
  ['config'],
  ['config', 'model'],
  ['config', 'model', 'backbone'],
  ['config', 'MODEL'],
  ['args'],
  ['hyper_parameters'],
  ['model_args'],
];

/**
 * The settings: options, else a configuration in the checkpoint, else the defaults of the authors' class with a warning.
 * @throws {ArchitectureError} if an option is out of bounds
 */
export function weakeningOf(
  checkpoint: Checkpoint,
  reader: SettingsReader,
  options: Partial<UisMambaWeakening>,
): { readonly weakening: UisMambaWeakening; readonly warnings: readonly string[] } {
  const { config } = reader;
  const described = config.model('backbone') !== undefined;
  const assumed: string[] = [];
  const weakening = Object.fromEntries(
    CHOICES.map(({ name, argument, flag }) => {
      const check = WEAKENING_FIELDS[name];
      const usual = UIS_MAMBA_DEFAULTS[name];
      const add = (setting: Omit<Setting, 'name'>) => {
        const unused = name === 'useHsw' && setting.value === false ? UNUSED : {};
        reader.report.push({ name, ...unused, ...setting });
        return [name, setting.value];
      };
      const option = options[name];
      if (option !== undefined) {
        const problem = problemOf(check, option, name);
        if (problem !== undefined) throw new ArchitectureError(problem);
        return add({ value: option, from: 'options' });
      }
      const stored = storedIn(checkpoint, config.model('backbone', argument), config.where, argument);
      const problem = stored && problemOf(check, stored.value, `${stored.where}.${argument}`);
      if (stored && problem === undefined) {
        return add({ value: stored.value, from: 'checkpoint', evidence: stored.where });
      }
      if (problem === undefined && described) {
        const evidence = `${config.where} has a backbone without ${argument}`;
        return add({ value: usual, from: 'checkpoint', evidence });
      }
      assumed.push(`${name} ${usual} (${flag})`);
      return add({ value: usual, from: 'default', ...(problem !== undefined && { note: problem }) });
    }),
  ) as unknown as UisMambaWeakening;
  const warning =
    `nothing in names and shapes tells how hidden states are weakened, and no configuration is beside the weights; ` +
    `taken: ${assumed.join(', ')}`;
  return { weakening, warnings: assumed.length === 0 ? [] : [warning] };
}

/** An argument's value recorded in a checkpoint, and where. */
function storedIn(
  checkpoint: Checkpoint,
  configured: unknown,
  where: string,
  argument: string,
): { readonly value: unknown; readonly where: string } | undefined {
  if (configured !== undefined) return { value: configured, where: `${where}: model.backbone` };
  const exported = checkpoint.format === 'safetensors' ? checkpoint.metadata.get(argument) : undefined;
  if (exported !== undefined) return { value: literal(exported), where: "the file's metadata" };
  for (const holder of HOLDERS) {
    for (const name of [argument, argument.toUpperCase()]) {
      const value = configValue(checkpoint, [...holder, name]);
      if (value !== undefined) return { value, where: [...holder, name].join('.') };
    }
  }
  return undefined;
}

/** A number, `true` or `True`; any other text is returned as it is. */
function literal(text: string): unknown {
  try {
    return JSON.parse(text.toLowerCase());
  } catch {
    return text;
  }
}

/** @throws {ArchitectureError} if an option does not fit */
export function uisMambaSettings(
  _sizes: UisMambaArchitecture,
  checkpoint: Checkpoint,
  options: SettingsOptions,
): UisMambaSettings {
  refuseOptions(options, ['stemStride'], 'GrootV and GG-SSM; the stem of UIS-Mamba has strides of 2');
  refuseDense(options, 'a backbone');
  refuseOptions(options, ['classNames'], 'models with heads; this is a backbone');
  const reader = new SettingsReader(checkpoint);
  const { weakening, warnings } = weakeningOf(checkpoint, reader, options.uisMamba ?? {});
  return { ...weakening, classNames: null, report: reader.report, warnings };
}

export function uisMambaMetadata(
  sizes: UisMambaArchitecture,
  { useHsw, hswVarphi, poolSize }: UisMambaSettings,
  { parameters, ...details }: ModelDetails,
): UisMambaMetadata {
  return {
    architecture: { family: 'UIS-Mamba', ...sizes, useHsw, hswVarphi, poolSize, parameters },
    preprocessing: { channels: 'RGB', range: [0, 255], ...normalizationOf(sizes) },
    classNames: null,
    ...details,
  };
}
