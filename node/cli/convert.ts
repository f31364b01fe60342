/** `grootvl convert`: converts a PyTorch checkpoint to a folder that tf.loadGraphModel reads. */
import { basename, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BatchNormHandling } from '../../converters/graph/batch_norm.js';
import { QUANTIZATIONS, type Quantization } from '../../converters/graph/quantize.js';
import type { DenseOptions } from '../../converters/openmmlab/dense_options.js';
import { AGGREGATES, METRICS, TREES } from '../../plugin/models/grootv_metadata.js';
import { type AtomicDirectory, writeFolderAtomically } from '../atomic_directory.js';
import { readSmallFile } from '../file_source.js';
import { anyNumber } from './failure.js';
import {
  addUisMambaFlags,
  describeInspection,
  KEY,
  LORA,
  PREFIX,
  refuseForFiles,
  refuseForFolders,
  STEM_STRIDE,
  stemStrideFrom,
  type UisMambaFlags,
  uisMambaFrom,
  uisMambaGiven,
  WEIGHT_SETS,
  withAdapter,
  withInput,
} from './inspect.js';
import { withByteBars } from './progress.js';
import { inline, print } from './terminal.js';

/** A list of names is small; anything larger is another kind of file. */
const MAX_CLASSES_BYTES = 2 ** 24;
/** The largest graph of a language model is a few MB. */
const MAX_GRAPH_BYTES = 2 ** 28;

const SCANS = ['tree', 'raster', 'cross', 'chain'] as const;
const MODES = ['whole', 'slide'] as const;

/** Two numbers, `2048,512`. */
type Pair = [number, number];

interface Options extends DenseFlags, UisMambaFlags {
  weights?: (typeof WEIGHT_SETS)[number];
  key?: string;
  prefix?: string;
  stemStride?: string;
  quantize: Quantization;
  classes?: string;
  lora?: string;
  scan?: (typeof SCANS)[number];
  metric?: (typeof METRICS)[number];
  trees?: (typeof TREES)[number];
  aggregate?: (typeof AGGREGATES)[number];
  trainable?: boolean;
  force?: boolean;
  maxSize?: number;
}

/** Settings of a segmenter or detector that override those in its checkpoint. */
interface DenseFlags {
  scale?: Pair;
  mode?: 'whole' | 'slide';
  crop?: Pair;
  stride?: Pair;
  threshold?: number;
  iou?: number;
  maxDetections?: number;
  maskThreshold?: number;
}

function addDenseFlags(command: Command): void {
  command
    .option('--scale <long,short>', 'segmenters, detectors: maximum sides of an image in pixels', pairFrom)
    .addOption(
      new Option('--mode <mode>', 'segmenters: predict the whole image, or sliding windows').choices(MODES),
    )
    .option('--crop <height,width>', 'segmenters: size of a window in pixels', pairFrom)
    .option('--stride <height,width>', 'segmenters: distance between windows in pixels', pairFrom)
    .option('--threshold <score>', 'detectors: minimum score of a detection', anyNumber)
    .option(
      '--iou <overlap>',
      'detectors: overlap (IoU) above which the lower-scoring box is dropped',
      anyNumber,
    )
    .option('--max-detections <count>', 'detectors: maximum number of detections per image', anyNumber)
    .option('--mask-threshold <probability>', 'detectors: minimum probability of a mask pixel', anyNumber);
}

/** The options of the conversion; undefined if none is given, as for other models. */
function denseFrom(flags: DenseFlags): DenseOptions | undefined {
  const options: DenseOptions = {
    scale: flags.scale,
    mode: flags.mode,
    cropSize: flags.crop,
    stride: flags.stride,
    scoreThreshold: flags.threshold,
    iouThreshold: flags.iou,
    maxDetections: flags.maxDetections,
    maskThreshold: flags.maskThreshold,
  };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function pairFrom(text: string): Pair {
  const parts = text.split(/[,x]/);
  if (parts.length !== 2) throw new InvalidArgumentError('expected two numbers, such as 2048,512.');
  return [anyNumber(parts[0]), anyNumber(parts[1])];
}

export function addConvert(command: Command): void {
  addDenseFlags(command);
  addUisMambaFlags(command);
  command
    .addOption(
      new Option('--weights <name>', 'weights to use from a training checkpoint (default: model)').choices(
        WEIGHT_SETS,
      ),
    )
    .addOption(KEY)
    .addOption(PREFIX)
    .addOption(STEM_STRIDE)
    .addOption(
      new Option('--quantize <type>', 'type of the stored weights').choices(QUANTIZATIONS).default('none'),
    )
    .option(
      '--classes <names.json>',
      "a JSON array of class names (default: the checkpoint's, or ImageNet's for 1000 classes)",
    )
    .addOption(LORA)
    .addOption(
      new Option(
        '--scan <kind>',
        'scan along a tree, or without one: raster or cross (GrootV), chain (language models) (default: tree)',
      ).choices(SCANS),
    )
    .addOption(
      new Option(
        '--metric <name>',
        'GrootV: dissimilarity that trees are built from (default: cosine)',
      ).choices(METRICS),
    )
    .addOption(
      new Option('--trees <whose>', 'GrootV: one tree per block or per stage (default: block)').choices(
        TREES,
      ),
    )
    .addOption(
      new Option(
        '--aggregate <of>',
        'GrootV: aggregate over all vertices, or only towards the root (default: all)',
      ).choices(AGGREGATES),
    )
    .option(
      '--trainable',
      'segmenters, detectors: keep BatchNorms as separate layers, for training and export',
    )
    .option(
      '--max-size <size>',
      'maximum size of the weights to write, such as 500MB (default: 4 times the file)',
      bytesFrom,
    )
    .option('--force', 'replace the model in the folder; other files in it are kept')
    .action(async (path: string, outDir: string, options: Options) => {
      const { convertCheckpoint } = await import('../../converters/index.js');
      const { weights, key, prefix, quantize, classes, lora, scan, force, maxSize: maxBytes } = options;
      const { metric, trees, aggregate } = options;
      const batchNorm: BatchNormHandling = options.trainable ? 'keep' : 'fold';
      const settings = {
        ...{ weights, key, prefix, quantize, batchNorm, metric, trees, aggregate, maxBytes },
        stemStride: stemStrideFrom(options.stemStride),
        uisMamba: uisMambaFrom(options),
        dense: denseFrom(options),
      };
      const readNames = async () => (classes === undefined ? undefined : readClassNames(classes));
      const inspection = await withByteBars((onProgress) => {
        const chosen = { ...settings, onProgress };
        return withInput(path, {
          file: async (source) => {
            refuseForFiles({ lora });
            if (scan === 'chain') refuseForFiles({ 'scan chain': scan });
            const classNames = await readNames();
            return written(outDir, force, (sink) =>
              convertCheckpoint(source, sink, {
                ...chosen,
                classNames,
                scan: scan === 'chain' ? undefined : scan,
              }),
            );
          },
          folder: async (directory) => {
            const { findUnpacked } = await import('../../converters/pytorch/unpacked.js');
            const unpacked = await findUnpacked(directory);
            if (!unpacked) {
              const { maxDetections, maskThreshold, scale, mode, crop, stride, threshold, iou } = options;
              refuseForFolders({
                ...{ weights, classes, scale, mode, crop, stride, threshold, iou },
                ...{ 'max-detections': maxDetections, 'mask-threshold': maskThreshold },
                ...{ 'stem-stride': options.stemStride, ...uisMambaGiven(options) },
                ...{ metric, trees, aggregate },
              });
              if (scan === 'raster' || scan === 'cross') refuseForFolders({ [`scan ${scan}`]: scan });
            }
            const classNames = await readNames();
            return withAdapter(lora, (adapter) =>
              written(outDir, force, (sink) =>
                convertCheckpoint(directory, sink, { ...chosen, classNames, scan, lora: adapter }),
              ),
            );
          },
        });
      });
      print(`${describeInspection(inspection)}\nwritten to    ${inline(outDir, 4096)}`);
    });
}

/** Parses a number of bytes with an optional unit. */
function bytesFrom(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(|B|kB|KB|MB|GB|TB)$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected a size such as 500MB or 2GB.');
  return Number(match[1]) * 1000 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(match[2].toUpperCase() || 'B');
}

/** Runs a conversion that writes a folder which is complete or absent. */
async function written<T>(
  outDir: string,
  force: boolean | undefined,
  convert: (sink: AtomicDirectory) => Promise<T>,
): Promise<T> {
  const replace = force ? await modelFiles(outDir) : undefined;
  return writeFolderAtomically(outDir, convert, { replace });
}

/** The graphs of a model in a folder and their shards; empty if there is no such model. */
async function modelFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const graph of ['model.json', 'decode.json']) {
    const text = await readSmallFile(join(folder, graph), MAX_GRAPH_BYTES).catch(() => undefined);
    if (text === undefined) continue;
    const shards = text.match(/"group\d+-shard\d+of\d+\.bin"/g) ?? [];
    files.push(graph, ...shards.map((name) => basename(JSON.parse(name))));
  }
  return [...new Set(files)];
}

async function readClassNames(path: string): Promise<string[]> {
  const expected = 'expected a JSON array of class names';
  const text = await readSmallFile(path, MAX_CLASSES_BYTES);
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch {
    throw new Error(`"${path}" is not JSON; ${expected}`);
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw new Error(`"${path}" holds something else; ${expected}`);
  }
  return names;
}
