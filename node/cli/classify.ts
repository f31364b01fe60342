/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import type { Prediction } from '../../plugin/index.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import { checkAllDone, eachPicture, type Failed, isFailed, millisecondsSince } from './each_picture.js';
import { integerFrom } from './failure.js';
import { imageInputs, modelSource, withModel } from './inputs.js';
import { inline, print, printJson } from './terminal.js';

interface Classified {
  file: string;
  predictions: Prediction[];
  backend: StartedBackend;
  /** Milliseconds of preparation and prediction. */
  ms: number;
}

export function addClassify(command: Command): void {
  command
    .option('--top <n>', 'classes to list', integerFrom(1), 5)
    .option('--json', 'print one JSON document');
  withBackend(command).action(
    async (dir: string, files: string[], options: { top: number; json?: boolean; backend: CliBackend }) => {
      const backend = await startBackend(options.backend);
      const { GrootV } = await import('../../plugin/index.js');
      const inputs = await imageInputs(files);
      const rows = await withModel(GrootV.load(await modelSource(dir)), (model) => {
        const work = async (file: string, image: RgbImage): Promise<Classified> => {
          const start = performance.now();
          const [predictions] = await model.classify(image, { top: options.top });
          return { file, predictions, backend, ms: millisecondsSince(start) };
        };
        return eachPicture(inputs, work, (row) => {
          if (!options.json) print(describe(row));
        });
      });
      if (options.json) printJson(rows);
      checkAllDone(rows);
    },
  );
}

function describe(row: Classified | Failed): string {
  if (isFailed(row)) return `${inline(row.file)}: ${row.error}`;
  const rows = row.predictions.map(
    ({ label, probability }) => `  ${(100 * probability).toFixed(1).padStart(5)} %  ${inline(label)}`,
  );
  return [`${inline(row.file)} (${row.ms} ms, ${row.backend})`, ...rows].join('\n');
}
