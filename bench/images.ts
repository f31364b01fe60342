/**
 * Runs over many images through the command line: a run compared with the model's own time, two threads with one, queue workers
 * with threads, and memory by the number of images. Random weights, each measurement in separate processes. Times of commands
 * include their start.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inProcess, inTemporaryFolder } from './child_process.js';
import { runCommand } from './command_process.js';
import { writeClassifier, writeDigits, writePhotographs } from './image_folders.js';
import type { GrootVSizes } from './random_weights.js';
import { startRedis } from './redis.js';

/** What to measure, and how much of it. */
export interface ImageTask {
  /** Photographs per round through the network of the published size, and number of rounds. */
  readonly photographs: number;
  readonly rounds: number;
  readonly large: GrootVSizes;
  /** Digits that one and two workers classify. */
  readonly digits: number;
  /** Images in the runs whose memory is compared. */
  readonly few: number;
  readonly many: number;
  /** The file that runs the command line. */
  readonly program: string;
}

/** The job of the process. */
export interface PipelineJob {
  readonly model: string;
  /** Folder of images. */
  readonly folder: string;
  readonly batch: number;
  readonly rounds: number;
}

/** Medians over rounds, in milliseconds per image. */
export interface PipelineFigures {
  /** From image files to rows in a file. */
  readonly runMs: number;
  /** The same batches of preprocessed images through `classify`. */
  readonly modelMs: number;
  /** Median of the rounds' run / model. */
  readonly ratio: number;
}

export interface ImageTimes {
  readonly pipeline: PipelineFigures & { readonly batch: number };
  readonly digits: number;
  /** Seconds of `classify` with one worker and with two. */
  readonly oneWorkerSeconds: number;
  readonly twoWorkersSeconds: number;
  /** Seconds of two queue workers until all is done; or why not measured, if there is no server or client. */
  readonly queueSeconds: number | { readonly missing: string };
  readonly few: number;
  readonly many: number;
  /** Maximum resident set sizes of `classify`, in this process. */
  readonly fewPeakBytes: number;
  readonly manyPeakBytes: number;
}

/** The batch size of `classify`. */
const BATCH = 8;

const TASK: ImageTask = {
  ...{ photographs: 24, rounds: 3, large: { channels: 80, depths: [2, 2, 9, 2], classes: 1000 } },
  ...{ digits: 10_000, few: 1000, many: 100_000 },
  program: fileURLToPath(import.meta.resolve('../node/cli/main.js')),
};

/** The sizes of grootv_nano_mnist.pth, and a network that takes almost no time. */
const NANO: GrootVSizes = { channels: 16, depths: [1, 1, 2, 1] };
const SMALLEST: GrootVSizes = { channels: 4, depths: [1] };

/** Measures on the backend wasm. */
export async function benchImages(
  progress: (what: string) => void = () => {},
  { photographs, rounds, large, digits, few, many, program }: ImageTask = TASK,
): Promise<ImageTimes> {
  return inTemporaryFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    /** Rows are written to a file. */
    const classify = (model: string, images: string, ...options: readonly string[]) =>
      runCommand(
        program,
        ...['classify', at(model), at(images), '--backend', 'wasm'],
        ...['--rows', at(`${images}${options.join('')}.ndjson`), ...options],
      );
    progress(`${photographs} photographs, ${rounds + 1} times`);
    await writeClassifier(at('large'), large, 224);
    await writePhotographs(at('photographs'), photographs);
    const job: PipelineJob = { model: at('large'), folder: at('photographs'), batch: BATCH, rounds };
    const pipeline = { batch: BATCH, ...(await inProcess<PipelineFigures>('images', job)) };

    await writeClassifier(at('nano'), NANO, 64);
    await writeDigits(at('digits'), digits);
    const seconds = async (workers: number) => {
      progress(`${digits} digits, workers: ${workers}`);
      const { ms } = await classify('nano', 'digits', '--workers', String(workers));
      return ms / 1000;
    };
    const [oneWorkerSeconds, twoWorkersSeconds] = [await seconds(1), await seconds(2)];
    progress(`${digits} digits, two workers of a queue`);
    const queueSeconds = await queued(program, at('nano'), at('digits'), at('redis'));

    await writeClassifier(at('smallest'), SMALLEST, 32);
    const peak = async (count: number) => {
      progress(`memory of ${count} images`);
      await writeDigits(at(`${count}`), count);
      const { peakBytes } = await classify('smallest', `${count}`);
      return peakBytes;
    };
    const [fewPeakBytes, manyPeakBytes] = [await peak(few), await peak(many)];
    return {
      ...{ pipeline, digits, oneWorkerSeconds, twoWorkersSeconds, queueSeconds },
      ...{ few, many, fewPeakBytes, manyPeakBytes },
    };
  });
}

/** Seconds of two queue workers for images that were added before, including their start. */
async function queued(
  program: string,
  model: string,
  images: string,
  folder: string,
): Promise<number | { readonly missing: string }> {
  try {
    import.meta.resolve('bullmq');
  } catch {
    return { missing: 'bullmq is not installed' };
  }
  mkdirSync(folder);
  const server = await startRedis(folder);
  if ('missing' in server) return server;
  try {
    const queue = (command: string, ...args: readonly string[]) =>
      runCommand(program, 'queue', command, ...args, '--redis', server.url, '--name', 'digits');
    await queue('add', model, images);
    const start = performance.now();
    await Promise.all([1, 2].map(() => queue('work', '--backend', 'wasm')));
    return (performance.now() - start) / 1000;
  } finally {
    await server.stop();
  }
}
