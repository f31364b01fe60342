/** `grootvl inspect`: what a checkpoint holds. */
import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type FolderInspection, type Inspection, inspectCheckpoint } from '../../converters/index.js';
import { type FileSource, fileSource } from '../file_source.js';
import { type OpenDirectory, sourceDirectory } from '../source_directory.js';
import { ByteProgress } from './progress.js';

export const WEIGHT_SETS = ['model', 'model_ema'] as const;

export function addInspect(program: Command): void {
  program
    .command('inspect <checkpoint>')
    .description(
      'architecture, parameters, tensors, and what was left out and why; of a file, or of the HuggingFace folder ' +
        'of a language model',
    )
    .addOption(new Option('--weights <name>', 'which weights of a training checkpoint').choices(WEIGHT_SETS))
    .option('--json', 'print one JSON document')
    .action(async (path: string, { weights, json }: Options) => {
      const progress = new ByteProgress();
      const onProgress = progress.update;
      try {
        const inspection = await withInput(path, {
          file: (source) => inspectCheckpoint(source, { weights, onProgress }),
          folder: (directory) => {
            refuseForFolders({ weights });
            return inspectCheckpoint(directory, { onProgress });
          },
        });
        progress.stop();
        console.log(json ? JSON.stringify(inspection, null, 2) : describeInspection(inspection));
      } finally {
        progress.stop();
      }
    });
}

interface Options {
  weights?: (typeof WEIGHT_SETS)[number];
  json?: boolean;
}

/** Opens a file or a folder for as long as `use` works with it. */
export async function withInput<F, D>(
  path: string,
  use: { file(source: FileSource): Promise<F>; folder(directory: OpenDirectory): Promise<D> },
): Promise<F | D> {
  const status = await stat(path).catch(() => undefined);
  const opened = status?.isDirectory() ? await sourceDirectory(path) : await fileSource(path);
  try {
    return await ('open' in opened ? use.folder(opened) : use.file(opened));
  } finally {
    await opened.close();
  }
}

/** @throws {Error} for an option that says nothing about the folder of a language model */
export function refuseForFolders(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) {
      throw new Error(`--${name} is for checkpoints of GrootV, not for the folder of a language model`);
    }
  }
}

/** An inspection as text. */
export function describeInspection(inspection: Inspection | FolderInspection): string {
  const rows = 'scan' in inspection ? languageRows(inspection) : imageRows(inspection);
  for (const { name, reason } of inspection.ignored) rows.push(['left out', `${name}: ${reason}`]);
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join('\n');
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
    ['adapter', inspection.adapter ?? 'none'],
  ];
}

function imageRows(inspection: Inspection): Rows {
  const { architecture, channels, depths, mlpRatio, layerScale, classes, parameters, tensors } = inspection;
  const { file, weightsUsed, imageSize } = inspection;
  return [
    ['file', `${file.name} (${file.format}, ${(file.bytes / 1e6).toFixed(1)} MB)`],
    ['sha-256', file.sha256],
    ['architecture', architecture],
    ['channels', channels],
    ['depths', depths.join(', ')],
    ['mlp ratio', mlpRatio],
    ['layer scale', layerScale ? 'yes' : 'no'],
    ['classes', classes || 'none'],
    ['image size', imageSize],
    ['parameters', `${parameters.toLocaleString('en')} in ${tensors} tensors`],
    ['weights', weightsUsed],
  ];
}
