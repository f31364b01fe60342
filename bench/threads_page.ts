/** What runs in the page of threads.ts: GrootV-T by one thread and by several, in turn. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { getThreads, ready, setThreads } from '../wasm/index.js';
import { type PredictionTime, profilePrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import { median } from './timing.js';

const SIDE = 224;
/** Changes of the number of threads: other load on the machine hits both numbers alike. */
const ROUNDS = 7;
/** Predictions of a round by each number; the median counts. */
const REPETITIONS = 5;

/** One number of threads beside another. */
export interface ThreadsTime {
  readonly threads: number;
  readonly one: PredictionTime;
  readonly several: PredictionTime;
  /** The median of the rounds' ratios. */
  readonly speedup: number;
  /** Whether all logits have the same bits. */
  readonly isSame: boolean;
}

declare global {
  interface Window {
    measureThreads?: (threads: number) => Promise<ThreadsTime>;
  }
}

window.measureThreads = async (threads) => {
  setWasmPaths('/tfjs-wasm/'); // of the server that the page came from
  await tf.setBackend('wasm');
  await ready();
  const model = await randomGrootV();
  const image = tf.randomUniform<tf.Rank.R4>([1, SIDE, SIDE, 3], 0, 255, 'float32', 1);
  const logits: Float32Array[] = [];
  const predict = () => {
    const start = performance.now();
    const result = model.execute({ image }) as tf.Tensor;
    logits.push(result.dataSync<'float32'>());
    result.dispose();
    return performance.now() - start;
  };
  /** Milliseconds of a prediction, by the number of threads. */
  const round = async (count: number) => {
    await setThreads(count);
    if (getThreads().count !== count) throw new Error(`${count} threads: ${getThreads().reason}`);
    predict();
    return median(Array.from({ length: REPETITIONS }, predict));
  };
  const [one, several]: number[][] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    one.push(await round(1));
    several.push(await round(threads));
  }
  const timeOf = async (count: number, times: readonly number[]) => {
    await setThreads(count);
    return { ms: median(times), ...(await profilePrediction(model, image)) };
  };
  const isSame = logits.every((values) => values.every((value, i) => Object.is(value, logits[0][i])));
  return {
    threads,
    one: await timeOf(1, one),
    several: await timeOf(threads, several),
    speedup: median(one.map((ms, i) => ms / several[i])),
    isSame,
  };
};
