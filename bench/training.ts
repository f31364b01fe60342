/**
 * Training: a step of a small classifier beside its forward pass, the part of tree ops in it, and what a step of GrootV-T
 * holds in memory with and without gradient checkpointing. Random weights and pictures, each in a process of its own.
 */
import { inProcess } from './child_process.js';
import type { GrootVSizes } from './random_weights.js';

/** What the process is asked to measure. */
export interface TrainingJob {
  readonly sizes: GrootVSizes;
  /** Of the pictures. */
  readonly side: number;
  readonly batch: number;
  /** Forward passes and steps in turn; without, one step for its memory. */
  readonly rounds?: number;
  readonly checkpointing?: boolean;
}

/** What it answers. */
export interface TrainingFigures {
  /** A forward pass in training mode, and forward, backward, clipping and AdamW: medians, milliseconds. */
  readonly forwardMs: number;
  readonly stepMs: number;
  /** Median of the rounds' step / forward. */
  readonly ratio: number;
  /** The part of tree ops in the time of a step, from 0 to 1. */
  readonly treeShare: number;
  /** The largest resident set of the process, less that before the model was made. */
  readonly peakBytes: number;
}

export interface TrainingTimes extends Omit<TrainingFigures, 'peakBytes'> {
  /** Bytes at the peak of a step of GrootV-T. */
  readonly peakBytes: number;
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
  const { peakBytes: _, ...times } = await inProcess<TrainingFigures>('training', small);
  const memory = async (checkpointing: boolean) =>
    (await inProcess<TrainingFigures>('training', { ...large, checkpointing })).peakBytes;
  return { ...times, peakBytes: await memory(false), checkpointedBytes: await memory(true) };
}
