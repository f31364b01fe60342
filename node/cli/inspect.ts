/** `grootvl inspect`: what a checkpoint holds. */
import { type Command, Option } from 'commander';
import { type Inspection, inspectCheckpoint } from '../../converters/index.js';
import { fileSource } from '../file_source.js';
import { ByteProgress } from './progress.js';

export const WEIGHT_SETS = ['model', 'model_ema'] as const;

export function addInspect(program: Command): void {
  program
    .command('inspect <checkpoint>')
    .description('architecture, parameters, tensors, and what was left out and why')
    .addOption(new Option('--weights <name>', 'which weights of a training checkpoint').choices(WEIGHT_SETS))
    .option('--json', 'print one JSON document')
    .action(async (path: string, options: { weights?: (typeof WEIGHT_SETS)[number]; json?: boolean }) => {
      const progress = new ByteProgress();
      const source = await fileSource(path);
      try {
        const inspection = await inspectCheckpoint(source, {
          weights: options.weights,
          onProgress: progress.update,
        });
        progress.stop();
        console.log(options.json ? JSON.stringify(inspection, null, 2) : describeInspection(inspection));
      } finally {
        progress.stop();
        await source.close();
      }
    });
}

/** An inspection as text. */
export function describeInspection(inspection: Inspection): string {
  const { architecture, channels, depths, mlpRatio, layerScale, classes, parameters, tensors } = inspection;
  const { file, weightsUsed, ignored, imageSize } = inspection;
  const rows: [string, string | number][] = [
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
    ...ignored.map(({ name, reason }): [string, string] => ['left out', `${name}: ${reason}`]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join('\n');
}
