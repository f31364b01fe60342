/** The backend `cuda` measured: ops and whole predictions of GrootV-T on batches, by the device's own clock. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { counts, deviceDescription } from '../gpu/cuda/index.js';
import { boruvkaMST, edgeDissimilarity, gridGraph, treeScan } from '../plugin/index.js';
import { profilePrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import { STAGES, type Stage } from './stages.js';
import { median } from './timing.js';

/** An op on a batch of one stage. */
export interface CudaOpTime {
  readonly stage: string;
  readonly op: string;
  readonly us: number;
  /** Microseconds to move three tensors of the stage once, as an addition does; only for scans. */
  readonly movedUs?: number;
}

export interface CudaBench {
  readonly device: string;
  readonly date: string;
  readonly batch: number;
  /** GB/s that an addition of two large tensors moves. */
  readonly bandwidth: number;
  /** Microseconds of the host for a call of a kernel on tiny tensors, without waiting. */
  readonly callUs: number;
  readonly ops: readonly CudaOpTime[];
  readonly prediction: {
    readonly imagesPerSecond: number;
    /** Device milliseconds of a batch, all kernels. */
    readonly deviceMs: number;
    /** The part of it that trees and scans take, from 0 to 1. */
    readonly treeShare: number;
    readonly kernelCalls: number;
    readonly launches: number;
    /** Copies to the host before the logits are read: each would be a synchronisation. */
    readonly readBacks: number;
  };
}

/** Times are for a GPU; the emulation is measured with smaller batches only to see that the bench runs. */
const BATCH = { cuda: 128, 'host emulation': 1 } as const;
const REPETITIONS = 10;
const TREE_KERNELS: ReadonlySet<string> = new Set(['EdgeDissimilarity', 'BoruvkaMST', 'TreeScan']);

/** Measures the backend `cuda`, which must be the current one. */
export async function benchCuda(progress: (what: string) => void = () => {}): Promise<CudaBench> {
  const { kind, name, driverVersion } = deviceDescription();
  const batch = BATCH[kind];
  const ops: CudaOpTime[] = [];
  for (const stage of kind === 'cuda' ? STAGES : STAGES.slice(2)) {
    progress(`ops at ${stage.name}`);
    ops.push(...(await benchStage(stage, batch)));
  }
  progress('GrootV-T');
  const model = await randomGrootV();
  try {
    const side = kind === 'cuda' ? 224 : 64;
    return {
      device: kind === 'cuda' ? `${name}, CUDA ${driverVersion}` : kind,
      date: new Date().toISOString(),
      batch,
      bandwidth: await bandwidth(kind === 'cuda' ? 1 << 27 : 1 << 16),
      callUs: callTime(),
      ops,
      prediction: await benchBatch(model, batch, side),
    };
  } finally {
    model.dispose();
  }
}

async function benchStage({ name, side, channels }: Stage, batch: number): Promise<CudaOpTime[]> {
  const vertices = side * side;
  const shape: [number, number, number] = [batch, vertices, channels];
  const x = tf.randomNormal<tf.Rank.R3>(shape);
  const decay = tf.randomUniform<tf.Rank.R3>(shape);
  const edges = gridGraph(side, side);
  const weights = edgeDissimilarity(x, edges);
  const tree = boruvkaMST(weights, edges, { numVertices: vertices });
  const movedUs = await deviceTime(() => tf.add(x, decay));
  const times = [
    { stage: name, op: 'treeScan all', us: await deviceTime(() => treeScan(x, decay, tree)), movedUs },
    {
      stage: name,
      op: 'treeScan root',
      us: await deviceTime(() => treeScan(x, decay, tree, { aggregate: 'root' })),
      movedUs,
    },
    { stage: name, op: 'edgeDissimilarity', us: await deviceTime(() => edgeDissimilarity(x, edges)) },
    {
      stage: name,
      op: 'boruvkaMST',
      us: await deviceTime(() => boruvkaMST(weights, edges, { numVertices: vertices })),
    },
  ];
  tf.dispose([x, decay, edges, weights]);
  tree.dispose();
  return times;
}

/** A tensor or a tree. */
interface Disposable {
  dispose(): void;
}

/** Device microseconds of a call: the median of some, after one that is not counted. */
async function deviceTime(run: () => Disposable): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= REPETITIONS; i++) {
    const made: Disposable[] = [];
    const { kernelMs } = await tf.backend().time(() => void made.push(run()));
    for (const result of made) result.dispose();
    if (i > 0) times.push((kernelMs as number) * 1000);
  }
  return median(times);
}

async function bandwidth(elements: number): Promise<number> {
  const [a, b] = [tf.fill([elements], 1), tf.fill([elements], 2)];
  const us = await deviceTime(() => tf.add(a, b));
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

async function benchBatch(model: GraphModel, batch: number, side: number): Promise<CudaBench['prediction']> {
  const image = tf.randomUniform<tf.Rank.R4>([batch, side, side, 3], 0, 255);
  const predict = () => model.execute({ image }) as tf.Tensor;
  predict().dispose();
  const before = counts();
  const logits = predict();
  const after = counts();
  await logits.data();
  logits.dispose();
  const times: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) {
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

/** The report for people. */
export function formatCudaBench({
  device,
  date,
  batch,
  bandwidth,
  callUs,
  ops,
  prediction,
}: CudaBench): string {
  const rows = ops.map(({ stage, op, us, movedUs }) => {
    const ratio = movedUs ? `, ${(us / movedUs).toFixed(2)} of moving three tensors` : '';
    return `  ${stage}  ${op}: ${us.toFixed(1)} us${ratio}`;
  });
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
