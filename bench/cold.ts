/** From a model's files on a disk to its first prediction: GrootV-T with random weights, beside a warm prediction. */
import { join } from 'node:path';
import { inProcess, inTemporaryFolder } from './child_process.js';
import { writeClassifier } from './picture_folders.js';
import { GROOTV_T } from './random_model.js';
import type { GrootVSizes } from './random_weights.js';

/** What the process is asked to measure. */
export interface ColdJob {
  /** The folder of the model. */
  readonly model: string;
  /** Of the picture, pixels. */
  readonly side: number;
}

/** Milliseconds of one process. */
export interface ColdFigures {
  /** From its start until the kernels are ready: Node, the modules of tfjs and of this package, tfjs's backend. */
  readonly startMs: number;
  /** Loading the model, whose files the system has in memory. */
  readonly loadMs: number;
  readonly firstMs: number;
  /** Median of later predictions. */
  readonly warmMs: number;
  /** Loading and the first prediction, over a warm one. */
  readonly ratio: number;
}

export interface ColdTimes extends ColdFigures {
  readonly side: number;
  readonly processes: number;
}

const PROCESSES = 3;
const SIDE = 224;

/** Measures on the backend wasm. Of several processes, the one whose ratio is the median. */
export async function benchCold(
  sizes: GrootVSizes = GROOTV_T,
  side = SIDE,
  processes = PROCESSES,
): Promise<ColdTimes> {
  return inTemporaryFolder(async (folder) => {
    const job: ColdJob = { model: join(folder, 'model'), side };
    await writeClassifier(job.model, sizes, side);
    const found: ColdFigures[] = [];
    for (let i = 0; i < processes; i++) found.push(await inProcess<ColdFigures>('cold', job));
    return { ...found.sort((a, b) => a.ratio - b.ratio)[processes >> 1], side, processes };
  });
}
