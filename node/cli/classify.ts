/** `grootvl classify`: what is in a picture. */
import type { Command } from 'commander';
import type { Prediction } from '../../plugin/index.js';
import { decodeImage } from '../images/decode.js';
import { type CliBackend, type StartedBackend, startBackend, withBackend } from './backend.js';
import { integerFrom, pathOf } from './failure.js';
import { imageInputs, modelSource } from './inputs.js';
import { inline, print, printJson } from './terminal.js';

interface Classified {
  file: string;
  predictions: Prediction[];
  backend: StartedBackend;
  /** Milliseconds of the prediction alone. */
  ms: number;
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
      const { toTensor } = await import('./images.js');
      const { prepareImage } = await import('../../plugin/image/prepare.js');
      const model = await GrootV.load(await modelSource(dir));
      const results: Classified[] = [];
      for (const { file, problem } of await imageInputs(files)) {
        if (problem) throw new Error(problem);
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
