/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import type { Prediction } from '../../plugin/index.js';
import { readImage } from '../images/read_image.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import { integerFrom, oneLine, PARTLY_FAILED, pathOf } from './failure.js';
import { imageInputs, modelSource } from './inputs.js';
import { inline, note, print, printJson } from './terminal.js';

interface Classified {
  file: string;
  predictions: Prediction[];
  backend: StartedBackend;
  /** Milliseconds of preparation and prediction. */
  ms: number;
}

/** A picture that could not be classified. */
interface Failed {
  file: string;
  error: string;
}

export function addClassify(program: Command): void {
  const command = program
    .command('classify')
    .argument('<model-dir>', 'the folder of a converted model, or its URL', pathOf)
    .argument('<image...>', 'files, folders of pictures, or - for file names on standard input')
    .description('the most probable classes of pictures')
    .option('--top <n>', 'classes to list', integerFrom(1), 5)
    .option('--json', 'print one JSON document');
  withBackend(command).action(
    async (dir: string, files: string[], options: { top: number; json?: boolean; backend: CliBackend }) => {
      const backend = await startBackend(options.backend);
      const { GrootV } = await import('../../plugin/index.js');
      const model = await GrootV.load(await modelSource(dir));
      const classified = async (file: string): Promise<Classified> => {
        const image = await readImage(file);
        const start = performance.now();
        const [predictions] = await model.classify(image, { top: options.top });
        const ms = Math.round((performance.now() - start) * 10) / 10;
        return { file, predictions, backend, ms };
      };
      const inputs = await imageInputs(files);
      const rows: (Classified | Failed)[] = [];
      for (const { file, problem } of inputs) {
        const result = problem ? Promise.reject(new Error(problem)) : classified(file);
        const row = await result.catch((error): Failed => {
          if (inputs.length === 1) throw error;
          return { file, error: oneLine(error) };
        });
        rows.push(row);
        if (!options.json) print(describe(row));
      }
      model.dispose();
      if (options.json) printJson(rows);
      const failed = rows.filter((row) => 'error' in row);
      if (failed.length > 0) {
        note(`grootvl: ${failed.length} of ${rows.length} pictures failed; the first: ${failed[0].error}`);
        process.exitCode = PARTLY_FAILED;
      }
    },
  );
}

function describe(row: Classified | Failed): string {
  if ('error' in row) return `${inline(row.file)}: ${row.error}`;
  const rows = row.predictions.map(
    ({ label, probability }) => `  ${(100 * probability).toFixed(1).padStart(5)} %  ${inline(label)}`,
  );
  return [`${inline(row.file)} (${row.ms} ms, ${row.backend})`, ...rows].join('\n');
}
