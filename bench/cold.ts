/** From a model's files on disk to its first prediction: GrootV-T with random weights, compared with a warm prediction. */
import { join } from 'node:path';
import { inProcess, inTemporaryFolder } from './child_process.js';
import { writeClassifier } from './image_folders.js';
import { GROOTV_T } from './random_model.js';
import type { GrootVSizes } from './random_weights.js';

/** The job of the process. */
export interface ColdJob {
  /** The folder of the model. */
  readonly model: string;
  /** Side of the image, in pixels. */
  readonly side: number;
}

/** Times of one process, in milliseconds. */
export interface ColdFigures {
  /** From its start until the kernels are ready: Node, the modules of tfjs and of this package, tfjs's backend. */
  readonly startMs: number;
  /** Loading the model, whose files are in the page cache. */
  readonly loadMs: number;
  readonly firstMs: number;
  /** Median of later predictions. */
  readonly warmMs: number;
  /** (Loading + first prediction) / warm prediction. */
  readonly ratio: number;
}

export interface ColdTimes extends ColdFigures {
  readonly side: number;
  readonly processes: number;
}

const PROCESSES = 3;
const SIDE = 224;

/** Measures on the backend wasm. Of several processes, returns the one with the median ratio. */
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
