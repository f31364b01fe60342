/**
 * Training: a step of a small classifier compared with its forward pass, the fraction of time for tree ops, and the memory of a
 * step of GrootV-T with and without gradient checkpointing. Random weights and images, each measurement in a separate process.
 */
import { inProcess } from './child_process.js';
import type { GrootVSizes } from './random_weights.js';

/** The job of the process. */
export interface TrainingJob {
  readonly sizes: GrootVSizes;
  /** Side of the images. */
  readonly side: number;
  readonly batch: number;
  /** Number of alternating forward passes and steps; if undefined, a single step to measure its memory. */
  readonly rounds?: number;
  readonly checkpointing?: boolean;
}

/** The result of the process. */
export interface TrainingFigures {
  /** A forward pass in training mode, and forward, backward, clipping and AdamW: medians, in milliseconds. */
  readonly forwardMs: number;
  readonly stepMs: number;
  /** Median of the rounds' step / forward. */
  readonly ratio: number;
  /** Fraction of a step's time for tree ops, from 0 to 1. */
  readonly treeShare: number;
  /** Maximum resident set size of the process, minus that before the model was created. */
  readonly peakBytes: number;
}

/** `peakBytes` is that of a step of GrootV-T. */
export interface TrainingTimes extends TrainingFigures {
  /** The same with gradient checkpointing. */
  readonly checkpointedBytes: number;
}

const SMALL: TrainingJob = {
  sizes: { channels: 16, depths: [1, 1, 2, 1] },
  ...{ side: 64, batch: 16, rounds: 41 },
};
const LARGE: TrainingJob = {
  sizes: { channels: 80, depths: [2, 2, 9, 2], classes: 1000 },
  ...{ side: 224, batch: 4 },
};

/** Measures on the backend wasm. */
export async function benchTraining(small = SMALL, large = LARGE): Promise<TrainingTimes> {
  const times = await inProcess<TrainingFigures>('training', small);
  const memory = async (checkpointing: boolean) =>
    (await inProcess<TrainingFigures>('training', { ...large, checkpointing })).peakBytes;
  return { ...times, peakBytes: await memory(false), checkpointedBytes: await memory(true) };
}
