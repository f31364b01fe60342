/** Benchmark of the backend `cuda`: ops and whole predictions of GrootV-T on batches, by the device's clock. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { counts, deviceDescription } from '../gpu/cuda/index.js';
import { OPS } from '../plugin/ops/index.js';
import type { PerfSize } from '../plugin/ops/spec/spec.js';
import { perfCall, STAGES, sizeName, specsTimedOn, triadCall } from './perf_calls.js';
import { profilePrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import { median } from './timing.js';

/** An op on a batch of one stage. */
export interface CudaOpTime {
  readonly stage: string;
  /** Name of the op and of its variant. */
  readonly op: string;
  readonly us: number;
  /** Microseconds of an addition that moves as many bytes as the op reads and writes. */
  readonly movedUs: number;
}

export interface CudaBench {
  readonly device: string;
  readonly date: string;
  readonly batch: number;
  /** GB/s that an addition of two large tensors moves. */
  readonly bandwidth: number;
  /** Host microseconds to launch a kernel on tiny tensors, without waiting. */
  readonly callUs: number;
  readonly ops: readonly CudaOpTime[];
  readonly prediction: {
    readonly imagesPerSecond: number;
    /** Device milliseconds of a batch, all kernels. */
    readonly deviceMs: number;
    /** Fraction of it for trees and scans, from 0 to 1. */
    readonly treeShare: number;
    readonly kernelCalls: number;
    readonly launches: number;
    /** Copies to the host before the logits are read, each of which is a synchronisation. */
    readonly readBacks: number;
  };
}

/** Times are for a GPU; the emulation is only run at a small size to check that the benchmark works. */
const MEASURED = {
  cuda: { batch: 128, sizes: STAGES, side: 224, repetitions: 10, bandwidthElements: 1 << 27 },
  'host emulation': {
    ...{ batch: 1, sizes: [{ side: 7, channels: 64 }], side: 64 },
    ...{ repetitions: 1, bandwidthElements: 1 << 16 },
  },
} as const;
/** Trees and scans: these cannot be composed of built-in ops. */
const TREE_KERNELS = new Set(OPS.filter(({ compose }) => !compose).map(({ name }) => name));

/** Benchmarks the backend `cuda`, which must be the current one. */
export async function benchCuda(progress: (what: string) => void = () => {}): Promise<CudaBench> {
  const { kind, name, driverVersion } = deviceDescription();
  const { batch, sizes, side, repetitions, bandwidthElements } = MEASURED[kind];
  const ops: CudaOpTime[] = [];
  for (const size of sizes) {
    progress(`ops at ${sizeName(size)}`);
    ops.push(...(await benchSize(size, batch, repetitions)));
  }
  progress('GrootV-T');
  const model = await randomGrootV();
  try {
    return {
      device: kind === 'cuda' ? `${name}, CUDA ${driverVersion}` : kind,
      date: new Date().toISOString(),
      batch,
      bandwidth: await bandwidth(bandwidthElements, repetitions),
      callUs: callTime(),
      ops,
      prediction: await benchBatch(model, batch, side, repetitions),
    };
  } finally {
    model.dispose();
  }
}

async function benchSize(size: PerfSize, batch: number, repetitions: number): Promise<CudaOpTime[]> {
  const triad = triadCall(size, batch);
  const triadUs = await deviceTime(triad.run, repetitions);
  triad.dispose();
  const times: CudaOpTime[] = [];
  for (const spec of specsTimedOn('cuda')) {
    const call = perfCall(spec, size, batch);
    const movedUs = (triadUs * call.bytes) / triad.bytes;
    for (const [op, run] of Object.entries(call.runs)) {
      times.push({ stage: sizeName(size), op, us: await deviceTime(run, repetitions), movedUs });
    }
    call.dispose();
  }
  return times;
}

/** Device microseconds of a call: the median of several, after one warm-up call. */
async function deviceTime(run: () => tf.Tensor[], repetitions: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const made: tf.Tensor[] = [];
    const { kernelMs } = await tf.backend().time(() => void made.push(...run()));
    tf.dispose(made);
    if (i > 0) times.push((kernelMs as number) * 1000);
  }
  return median(times);
}

async function bandwidth(elements: number, repetitions: number): Promise<number> {
  const [a, b] = [tf.fill([elements], 1), tf.fill([elements], 2)];
  const us = await deviceTime(() => [tf.add(a, b)], repetitions);
  tf.dispose([a, b]);
  return (3 * 4 * elements) / us / 1000;
}

function callTime(): number {
  const calls = 1000;
  const x = tf.fill([4], 1);
  const once = () => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) tf.neg(x).dispose();
    return ((performance.now() - start) * 1000) / calls;
  };
  const times = Array.from({ length: 5 }, once);
  x.dispose();
  return median(times);
}

async function benchBatch(
  model: GraphModel,
  batch: number,
  side: number,
  repetitions: number,
): Promise<CudaBench['prediction']> {
  const image = tf.randomUniform<tf.Rank.R4>([batch, side, side, 3], 0, 255);
  const predict = () => model.execute({ image }) as tf.Tensor;
  predict().dispose();
  const before = counts();
  const logits = predict();
  const after = counts();
  await logits.data();
  logits.dispose();
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now();
    const result = predict();
    await result.data();
    result.dispose();
    times.push(performance.now() - start);
  }
  const { kernels, kernelCalls } = await profilePrediction(model, image);
  image.dispose();
  const total = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const trees = kernels.filter(({ kernel }) => TREE_KERNELS.has(kernel)).reduce((sum, { ms }) => sum + ms, 0);
  return {
    imagesPerSecond: (1000 * batch) / median(times),
    deviceMs: total,
    treeShare: trees / total,
    kernelCalls,
    launches: after.launches - before.launches,
    readBacks: after.downloads - before.downloads,
  };
}

/** The report as text. */
export function formatCudaBench(bench: CudaBench): string {
  const { device, date, batch, bandwidth, callUs, ops, prediction } = bench;
  const rows = ops.map(
    ({ stage, op, us, movedUs }) =>
      `  ${stage}  ${op}: ${us.toFixed(1)} us, ${(us / movedUs).toFixed(2)} of moving its bytes`,
  );
  const { imagesPerSecond, deviceMs, treeShare, kernelCalls, launches, readBacks } = prediction;
  return [
    `cuda, ${device}, batch ${batch}, ${date}`,
    `${bandwidth.toFixed(0)} GB/s; a kernel call costs the host ${callUs.toFixed(1)} us`,
    ...rows,
    `GrootV-T: ${imagesPerSecond.toFixed(0)} images per second; ${deviceMs.toFixed(1)} ms on the device, ` +
      `${(100 * treeShare).toFixed(1)} % of it trees and scans; ${kernelCalls} kernel calls, ${launches} launches, ` +
      `${readBacks} read-backs before the logits`,
  ].join('\n');
}
