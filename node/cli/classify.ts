/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import { prepareImage } from '../../plugin/image/prepare.js';
import { GrootV, type Prediction } from '../../plugin/index.js';
import { fileSystem } from '../file_system.js';
import { decodeImage } from '../images/decode.js';
import { type CliBackend, startBackend, withBackend } from './backend.js';
import { integerFrom } from './failure.js';
import { toTensor } from './images.js';
import { inline, print, printJson } from './terminal.js';

interface Classified {
  file: string;
  predictions: Prediction[];
  backend: string;
  /** Milliseconds of the prediction alone. */
  ms: number;
}

export function addClassify(program: Command): void {
  const command = program
    .command('classify <model-dir> <image...>')
    .description('the most probable classes of pictures')
    .option('--top <n>', 'classes to list', integerFrom(1), 5)
    .option('--json', 'print one JSON document');
  withBackend(command).action(
    async (dir: string, files: string[], options: { top: number; json?: boolean; backend: CliBackend }) => {
      const backend = await startBackend(options.backend);
      const model = await GrootV.load(fileSystem(dir));
      const results: Classified[] = [];
      for (const file of files) {
        const image = toTensor(prepareImage(await decodeImage(file), model.metadata.preprocessing.size));
        const start = performance.now();
        const [predictions] = await model.classify(image, { top: options.top });
        const ms = Math.round((performance.now() - start) * 10) / 10;
        image.dispose();
        const result = { file, predictions, backend, ms };
        results.push(result);
        if (!options.json) print(describe(result));
      }
      model.dispose();
      if (options.json) printJson(results);
    },
  );
}

function describe({ file, predictions, backend, ms }: Classified): string {
  const rows = predictions.map(
    ({ label, probability }) => `  ${(100 * probability).toFixed(1).padStart(5)} %  ${inline(label)}`,
  );
  return [`${inline(file)} (${ms} ms, ${backend})`, ...rows].join('\n');
}
