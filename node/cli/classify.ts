/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import type { Prediction } from '../../plugin/index.js';
import { readImage } from '../images/read_image.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import { Failure, integerFrom, oneLine, PARTLY_FAILED } from './failure.js';
import { imageInputs, modelSource, withModel } from './inputs.js';
import { inline, print, printJson } from './terminal.js';

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

export function addClassify(command: Command): void {
  command
    .option('--top <n>', 'classes to list', integerFrom(1), 5)
    .option('--json', 'print one JSON document');
  withBackend(command).action(
    async (dir: string, files: string[], options: { top: number; json?: boolean; backend: CliBackend }) => {
      const backend = await startBackend(options.backend);
      const { GrootV } = await import('../../plugin/index.js');
      const rows: (Classified | Failed)[] = [];
      await withModel(GrootV.load(await modelSource(dir)), async (model) => {
        const classified = async (file: string): Promise<Classified> => {
          const image = await readImage(file);
          const start = performance.now();
          const [predictions] = await model.classify(image, { top: options.top });
          const ms = Math.round((performance.now() - start) * 10) / 10;
          return { file, predictions, backend, ms };
        };
        const inputs = await imageInputs(files);
        for (const { file, problem } of inputs) {
          const result = problem ? Promise.reject(new Error(problem)) : classified(file);
          const row = await result.catch((error): Failed => {
            if (inputs.length === 1) throw error;
            return { file, error: oneLine(error) };
          });
          rows.push(row);
          if (!options.json) print(describe(row));
        }
      });
      if (options.json) printJson(rows);
      const failed = rows.filter((row) => 'error' in row);
      if (failed.length > 0) {
        const first = failed[0].error;
        throw new Failure(
          PARTLY_FAILED,
          `${failed.length} of ${rows.length} pictures failed; the first: ${first}`,
        );
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
