/** `grootvl inspect`: reports the contents of a checkpoint. */
import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { settingText } from '../../converters/architectures/architecture.js';
import type { FolderInspection, Inspection } from '../../converters/index.js';
import { type FileSource, fileSource } from '../file_source.js';
import { type OpenDirectory, sourceDirectory } from '../source_directory.js';
import { anyNumber } from './failure.js';
import { isUrl } from './inputs.js';
import { withByteBars } from './progress.js';
import { inline, print, printJson } from './terminal.js';

export const WEIGHT_SETS = ['model', 'model_ema'] as const;

/** Where the weights are, for files that do not use the usual keys. */
export const KEY = new Option('--key <a.b>', 'keys that lead to the state dict in the file');
export const LORA = new Option(
  '--lora <dir>',
  'folder of a LoRA adapter (PEFT) to merge into a language model',
);
export const PREFIX = new Option('--prefix <p.>', 'prefix of the parameter names');

export const STEM_STRIDE = new Option(
  '--stem-stride <n>',
  'stride of the stem: 1 for GG-SSM, 2 for GrootV (default: from the checkpoint)',
).choices(['1', '2']);

/** Adds the settings of UIS-Mamba that its weights do not determine. */
export function addUisMambaFlags(command: Command): Command {
  const byDefault = "(default: the checkpoint's configuration, or";
  return command
    .addOption(
      new Option('--use-hsw <whether>', `UIS-Mamba: weaken the background ${byDefault} false)`).choices([
        'true',
        'false',
      ]),
    )
    .option('--hsw-varphi <factor>', `UIS-Mamba: factor of the background ${byDefault} 0.7)`, anyNumber)
    .option('--pool-size <pixels>', `UIS-Mamba: side of a cell in pixels ${byDefault} 2)`, anyNumber);
}

export interface UisMambaFlags {
  useHsw?: string;
  hswVarphi?: number;
  poolSize?: number;
}

/** The options of the conversion. */
export function uisMambaFrom({ useHsw, hswVarphi, poolSize }: UisMambaFlags) {
  return { useHsw: useHsw === undefined ? undefined : useHsw === 'true', hswVarphi, poolSize };
}

/** The given flags by name, for refusals. */
export function uisMambaGiven({ useHsw, hswVarphi, poolSize }: UisMambaFlags) {
  return { 'use-hsw': useHsw, 'hsw-varphi': hswVarphi, 'pool-size': poolSize };
}

/** The option as a number. */
export function stemStrideFrom(text: string | undefined): 1 | 2 | undefined {
  if (text === undefined) return undefined;
  return text === '1' ? 1 : 2;
}

export function addInspect(command: Command): void {
  addUisMambaFlags(command)
    .addOption(
      new Option('--weights <name>', 'weights to use from a training checkpoint').choices(WEIGHT_SETS),
    )
    .addOption(KEY)
    .addOption(PREFIX)
    .addOption(STEM_STRIDE)
    .addOption(LORA)
    .option('--json', 'print one JSON document')
    .action(
      async (path: string, { weights, key, prefix, stemStride: stride, lora, json, ...flags }: Options) => {
        const { inspectCheckpoint } = await import('../../converters/index.js');
        const stemStride = stemStrideFrom(stride);
        const uisMamba = uisMambaFrom(flags);
        const inspection = await withByteBars((onProgress) => {
          const chosen = { weights, key, prefix, stemStride, uisMamba, onProgress };
          return withInput(path, {
            file: async (source) => {
              refuseForFiles({ lora });
              return inspectCheckpoint(source, chosen);
            },
            folder: async (directory) => {
              const { findUnpacked } = await import('../../converters/pytorch/unpacked.js');
              if (!(await findUnpacked(directory))) {
                refuseForFolders({ weights, 'stem-stride': stride, ...uisMambaGiven(flags) });
              }
              return withAdapter(lora, (adapter) =>
                inspectCheckpoint(directory, { ...chosen, lora: adapter }),
              );
            },
          });
        });
        if (json) printJson(inspection);
        else print(describeInspection(inspection));
      },
    );
}

interface Options extends UisMambaFlags {
  weights?: (typeof WEIGHT_SETS)[number];
  key?: string;
  prefix?: string;
  stemStride?: string;
  lora?: string;
  json?: boolean;
}

/**
 * Opens a file or a folder, passes it to `use` and closes it afterwards.
 * @throws {Error} for anything that is not a regular file: a checkpoint is read at any offset, and more than once
 */
export async function withInput<F, D>(
  path: string,
  use: { file(source: FileSource): Promise<F>; folder(directory: OpenDirectory): Promise<D> },
): Promise<F | D> {
  if (path === '-')
    throw new Error('a checkpoint cannot be read from standard input; expected a file or folder');
  if (isUrl(path)) throw new Error(`"${path}" is not fetched; download it, then give the file`);
  const status = await stat(path).catch(() => undefined);
  const opened = status?.isDirectory() ? await sourceDirectory(path) : await fileSource(path);
  try {
    return await ('open' in opened ? use.folder(opened) : use.file(opened));
  } finally {
    await opened.close();
  }
}

/** Opens the folder of an adapter, if one is given, passes it to `use` and closes it afterwards. */
export async function withAdapter<T>(
  path: string | undefined,
  use: (adapter: OpenDirectory | undefined) => Promise<T>,
): Promise<T> {
  const adapter = path === undefined ? undefined : await sourceDirectory(path);
  try {
    return await use(adapter);
  } finally {
    await adapter?.close();
  }
}

/** @throws {Error} for an option that does not apply to a checkpoint file */
export function refuseForFiles(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined)
      throw new Error(`--${name} is for the folder of a language model, not for a file`);
  }
}

/** @throws {Error} for an option that does not apply to the folder of a language model */
export function refuseForFolders(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) {
      throw new Error(`--${name} is for checkpoints of GrootV, not for the folder of a language model`);
    }
  }
}

/** An inspection as text. */
export function describeInspection(inspection: Inspection | FolderInspection): string {
  const rows = 'states' in inspection ? languageRows(inspection) : imageRows(inspection);
  for (const [name, reason] of leftOut(inspection.ignored))
    rows.push(['left out', `${inline(name)}: ${reason}`]);
  return rows.map(([name, value]) => `${name.padEnd(14)}${inline(String(value), 400)}`).join('\n');
}

/** What was left out: one row for tensors of the same module, or with the same name in every module, and the same reason. */
function leftOut(ignored: Inspection['ignored']): [name: string, reason: string][] {
  const names = new Map<string, string[]>();
  for (const { name, reason } of ignored) names.set(reason, [...(names.get(reason) ?? []), name]);
  return [...names].flatMap(([reason, alike]) => {
    const [first, last] = [0, -1].map((at) => new Set(alike.map((name) => name.split('.').at(at))));
    if (alike.length === 1 || (first.size > 1 && last.size > 1)) {
      return alike.map((name): [string, string] => [name, reason]);
    }
    const pattern = first.size === 1 ? `${[...first][0]}.*` : `*.${[...last][0]}`;
    return [[`${alike.length} tensors ${pattern}`, reason]];
  });
}

type Rows = [name: string, value: string | number][];

function languageRows(inspection: FolderInspection): Rows {
  const { file, channels, depths, intermediate, states, classes, tiedHead, parameters, tensors } = inspection;
  return [
    ['weights', `${file.name} (${file.format}, ${(file.bytes / 1e6).toFixed(1)} MB)`],
    ['sha-256', file.sha256],
    ['architecture', `${inspection.architecture} (${inspection.scan} scan)`],
    ['layers', depths[0]],
    ['channels', `${channels}, ${intermediate} in a layer`],
    ['states', `${states} a channel`],
    ['vocabulary', `${classes}${tiedHead ? ', tied head' : ''}`],
    ['parameters', `${parameters.toLocaleString('en')} in ${tensors} tensors`],
    ['output', outputOf(inspection)],
    ['adapter', inspection.adapter ?? 'none'],
    ...(inspection.trained
      ? [['trained', `${inspection.trained}, in place of the model's`] as Rows[number]]
      : []),
  ];
}

/** Size of the output of a conversion, without the graph. */
function outputOf({ outputBytes }: { readonly outputBytes: number }): string {
  return `${(outputBytes / 1e6).toFixed(1)} MB of weights`;
}

function imageRows(inspection: Inspection): Rows {
  const { architecture, channels, depths, mlpRatio, layerScale, classes, parameters, tensors } = inspection;
  const { file, weightsUsed, inputChannels, imageSize, settings, warnings } = inspection;
  const isDense = inspection.outputNormalization !== undefined;
  return [
    ['file', `${file.name} (${file.format}, ${(file.bytes / 1e6).toFixed(1)} MB)`],
    ['sha-256', file.sha256],
    ['architecture', architecture],
    ['channels', channels],
    ['depths', depths.join(', ')],
    ...(mlpRatio === undefined
      ? seriesRows(inspection)
      : ([
          ['mlp ratio', mlpRatio],
          ['layer scale', layerScale ? 'yes' : 'no'],
          ['scan', describeScan(inspection)],
        ] satisfies Rows)),
    ['classes', classes || 'none'],
    ...(inputChannels === undefined ? [] : [['input', `${inputChannels} channels`] as Rows[number]]),
    ...(imageSize === undefined
      ? []
      : [['image size', isDense ? `${imageSize} at the short side` : imageSize] as Rows[number]]),
    ...settings.map((setting): Rows[number] =>
      setting.name === 'stemStride'
        ? ['stem stride', describeValue(setting)]
        : ['setting', `${setting.name}: ${describeValue(setting)}`],
    ),
    ['parameters', `${parameters.toLocaleString('en')} in ${tensors} tensors`],
    ['output', outputOf(inspection)],
    ...warnings.map((warning): Rows[number] => ['warning', warning]),
    ['weights', inspection.prefix === '' ? weightsUsed : `${weightsUsed}, names under ${inspection.prefix}`],
  ];
}

function seriesRows({ patches = 0, patchLength = 0, forecastLength = 0 }: Inspection): Rows {
  return [
    ['input', `${patches * patchLength} steps in patches of ${patchLength}, any number of variables`],
    ['forecast', `${forecastLength} steps`],
  ];
}

/** For example `tree (cosine, one a block, aggregate all)`. */
function describeScan({ scan, metric, trees, aggregate }: Inspection): string {
  return scan === 'tree' ? `tree (${metric}, one a ${trees}, aggregate ${aggregate})` : `${scan}`;
}

/** The sources of a setting. */
const ORIGINS = {
  options: 'as given',
  checkpoint: 'from the checkpoint',
  'file name': 'from the file name',
  default: 'by default',
} as const;

/** For example `2048, 512 (from the checkpoint)`. */
function describeValue({ value, from, evidence, note }: Inspection['settings'][number]): string {
  const why = [ORIGINS[from], ...(evidence === undefined ? [] : [evidence])].join(': ');
  return `${settingText(value)} (${why}${note === undefined ? '' : `; ${note}`})`;
}
