/** `grootvl convert`: a PyTorch checkpoint becomes a folder that tf.loadGraphModel reads. */
import { readFile, stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { convertCheckpoint, QUANTIZATIONS, type Quantization } from '../../converters/index.js';
import { type AtomicDirectory, openAtomicDirectory } from '../atomic_directory.js';
import { sourceDirectory } from '../source_directory.js';
import { describeInspection, refuseForFolders, WEIGHT_SETS, withInput } from './inspect.js';
import { ByteProgress } from './progress.js';

/** A list of names is small; anything larger is some other file. */
const MAX_CLASSES_BYTES = 2 ** 24;

const SCANS = ['tree', 'chain'] as const;

interface Options {
  weights?: (typeof WEIGHT_SETS)[number];
  quantize: Quantization;
  classes?: string;
  lora?: string;
  scan?: (typeof SCANS)[number];
}

export function addConvert(program: Command): void {
  program
    .command('convert <checkpoint> <out-dir>')
    .description(
      'convert a PyTorch checkpoint, or the HuggingFace folder of a language model, to a TensorFlow.js GraphModel',
    )
    .addOption(new Option('--weights <name>', 'which weights of a training checkpoint').choices(WEIGHT_SETS))
    .addOption(new Option('--quantize <type>', 'store weights in').choices(QUANTIZATIONS).default('none'))
    .option('--classes <names.json>', 'a JSON array of class names')
    .option('--lora <dir>', 'folder of a LoRA adapter (PEFT) to merge into a language model')
    .addOption(new Option('--scan <kind>', 'of a language model: chain is ordinary Mamba').choices(SCANS))
    .action(async (path: string, outDir: string, options: Options) => {
      const progress = new ByteProgress();
      const onProgress = progress.update;
      const { weights, quantize, classes, lora, scan } = options;
      try {
        const inspection = await withInput(path, {
          file: async (source) => {
            if (lora ?? scan) throw new Error('--lora and --scan are for the folder of a language model');
            const classNames = classes === undefined ? undefined : await readClassNames(classes);
            return written(outDir, (sink) =>
              convertCheckpoint(source, sink, { weights, quantize, classNames, onProgress }),
            );
          },
          folder: async (directory) => {
            refuseForFolders({ weights, classes });
            const adapter = lora === undefined ? undefined : await sourceDirectory(lora);
            try {
              return await written(outDir, (sink) =>
                convertCheckpoint(directory, sink, { quantize, lora: adapter, scan, onProgress }),
              );
            } finally {
              await adapter?.close();
            }
          },
        });
        progress.stop();
        console.log(`${describeInspection(inspection)}\nwritten to    ${outDir}`);
      } finally {
        progress.stop();
      }
    });
}

/** Lets `convert` write a folder that is complete or not there. */
async function written<T>(outDir: string, convert: (sink: AtomicDirectory) => Promise<T>): Promise<T> {
  const directory = await openAtomicDirectory(outDir);
  try {
    const result = await convert(directory);
    await directory.commit();
    return result;
  } catch (error) {
    await directory.abort();
    throw error;
  }
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
