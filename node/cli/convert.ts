/** `grootvl convert`: a PyTorch checkpoint becomes a folder that tf.loadGraphModel reads. */
import { readFile, stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { convertCheckpoint, QUANTIZATIONS, type Quantization } from '../../converters/index.js';
import { openAtomicDirectory } from '../atomic_directory.js';
import { fileSource } from '../file_source.js';
import { describeInspection, WEIGHT_SETS } from './inspect.js';
import { ByteProgress } from './progress.js';

/** A list of names is small; anything larger is some other file. */
const MAX_CLASSES_BYTES = 2 ** 24;

interface Options {
  weights?: (typeof WEIGHT_SETS)[number];
  quantize: Quantization;
  classes?: string;
}

export function addConvert(program: Command): void {
  program
    .command('convert <checkpoint> <out-dir>')
    .description('convert a PyTorch checkpoint to a TensorFlow.js GraphModel')
    .addOption(new Option('--weights <name>', 'which weights of a training checkpoint').choices(WEIGHT_SETS))
    .addOption(new Option('--quantize <type>', 'store weights in').choices(QUANTIZATIONS).default('none'))
    .option('--classes <names.json>', 'a JSON array of class names')
    .action(async (path: string, outDir: string, options: Options) => {
      const classNames = options.classes === undefined ? undefined : await readClassNames(options.classes);
      const progress = new ByteProgress();
      const source = await fileSource(path);
      try {
        const directory = await openAtomicDirectory(outDir);
        try {
          const inspection = await convertCheckpoint(source, directory, {
            weights: options.weights,
            quantize: options.quantize,
            classNames,
            onProgress: progress.update,
          });
          await directory.commit();
          progress.stop();
          console.log(`${describeInspection(inspection)}\nwritten to    ${outDir}`);
        } catch (error) {
          await directory.abort();
          throw error;
        }
      } finally {
        progress.stop();
        await source.close();
      }
    });
}

async function readClassNames(path: string): Promise<string[]> {
  const wanted = 'wanted a JSON array of class names';
  const { size } = await stat(path).catch(() => {
    throw new Error(`cannot read ${path}: no such file`);
  });
  if (size > MAX_CLASSES_BYTES) throw new Error(`${path} has ${size} bytes; ${wanted}`);
  let names: unknown;
  try {
    names = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw new Error(`${path} is not JSON; ${wanted}`);
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw new Error(`${path} holds something else; ${wanted}`);
  }
  return names;
}
