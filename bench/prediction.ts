/** A whole prediction of GrootV-T: its time, its kernel calls, and the time by kind of kernel. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { withBuiltInOps } from '../conformance/built_in_ops.js';
import { OPS } from '../plugin/ops/index.js';
import { median, timeOf } from './timing.js';

const SIDE = 224;
/** Predictions of each kind, alternating, so that other load on the machine affects all equally. */
const REPETITIONS = 15;

/** All kernels of one name in a prediction. */
export interface KernelShare {
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number;
}

export interface PredictionTime {
  /** Median time of a prediction, in milliseconds. */
  readonly ms: number;
  readonly kernelCalls: number;
  /** Slowest first. */
  readonly kernels: readonly KernelShare[];
}

export interface PredictionTimes {
  /** With the fused kernels of this package. */
  readonly fused: PredictionTime;
  /** With tfjs's built-in ops. */
  readonly builtIn: PredictionTime;
  /** With the fused kernels and 8-bit weights. */
  readonly int8?: PredictionTime;
  readonly largestDifference: number;
}

/** Measures all of these in one run, alternating; batch 1, 224 x 224. */
export async function benchPrediction(model: GraphModel, int8Model: GraphModel): Promise<PredictionTimes> {
  const image = tf.randomUniform<tf.Rank.R4>([1, SIDE, SIDE, 3], 0, 255, 'float32', 1);
  const predict = (of = model) => {
    const logits = of.execute({ image }) as tf.Tensor;
    const values = logits.dataSync();
    logits.dispose();
    return values;
  };
  const timed = (of = model) => timeOf(() => predict(of));
  const fusedLogits = predict();
  const builtInLogits = await withBuiltInOps(OPS, () => predict());
  predict(int8Model);
  const times = { fused: [] as number[], builtIn: [] as number[], int8: [] as number[] };
  for (let i = 0; i < REPETITIONS; i++) {
    times.fused.push(timed());
    times.int8.push(timed(int8Model));
    times.builtIn.push(await withBuiltInOps(OPS, () => timed()));
  }
  const fused = { ms: median(times.fused), ...(await profilePrediction(model, image)) };
  const builtIn = {
    ms: median(times.builtIn),
    ...(await withBuiltInOps(OPS, () => profilePrediction(model, image))),
  };
  const int8 = { ms: median(times.int8), ...(await profilePrediction(int8Model, image)) };
  image.dispose();
  const largestDifference = Math.max(...fusedLogits.map((logit, i) => Math.abs(logit - builtInLogits[i])));
  return { fused, builtIn, int8, largestDifference };
}

/** The kernels of one prediction, by name. */
export async function profilePrediction(
  model: GraphModel,
  image: tf.Tensor,
): Promise<Omit<PredictionTime, 'ms'>> {
  const { kernels, result } = await tf.profile(() => model.execute({ image }) as tf.Tensor);
  tf.dispose(result);
  const run = kernels.filter(({ name }) => tf.getKernel(name, tf.getBackend())); // without functions that wrap kernels
  const timed = await Promise.all(
    run.map(async ({ name, kernelTimeMs }) => ({ name, ms: (await kernelTimeMs) as number })),
  );
  return { kernelCalls: run.length, kernels: sharesOf(timed) };
}

/** Kernels by name, slowest first. */
export function sharesOf(kernels: readonly { readonly name: string; readonly ms: number }[]): KernelShare[] {
  const byName = new Map<string, { calls: number; ms: number }>();
  for (const { name, ms } of kernels) {
    const kind = byName.get(name) ?? { calls: 0, ms: 0 };
    byName.set(name, { calls: kind.calls + 1, ms: kind.ms + ms });
  }
  const shares = [...byName].map(([kernel, { calls, ms }]) => ({ kernel, calls, ms }));
  return shares.sort((a, b) => b.ms - a.ms);
}
