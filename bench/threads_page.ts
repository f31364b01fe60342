/** The page of `benchThreads`: GrootV-T with one thread and with several, alternating. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { getThreads, ready, setThreads } from '../wasm/index.js';
import { Cores } from './cores.js';
import { type PredictionTime, profilePrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import { median } from './timing.js';

const SIDE = 224;
/** Each with one thread and with several, one right after the other, so that other load on the machine affects both equally. */
const ROUNDS = 24;
/** Of each number of threads in a round; the time is their median, since the first ones after a start find caches empty. */
const PREDICTIONS = 3;
/**
 * A round counts as undisturbed if it has this fraction of as many cores as threads, both before and after the multi-threaded
 * prediction.
 */
const OWN_CORES = 0.9;

/** A number of threads compared with another. */
export interface ThreadsTime {
  readonly threads: number;
  readonly one: PredictionTime;
  readonly several: PredictionTime;
  /** The median of the rounds' ratios. */
  readonly speedup: number;
  /**
   * The same for rounds in which the machine provided as many cores as there were threads (see cores.ts), and the number of such
   * rounds.
   */
  readonly undisturbed: { readonly rounds: number; readonly speedup?: number };
  /** The median number of cores over the rounds. */
  readonly cores: number;
  readonly rounds: number;
  /** Whether all logits have the same bits. */
  readonly isSame: boolean;
}

window.measure = async (threads = 2): Promise<ThreadsTime> => {
  setWasmPaths('/tfjs-wasm/'); // from the server of the page
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
  const useThreads = async (count: number) => {
    await setThreads(count);
    if (getThreads().count !== count) throw new Error(`${count} threads: ${getThreads().reason}`);
    predict();
  };
  const typicalTime = () => median(Array.from({ length: PREDICTIONS }, predict));
  const cores = new Cores();
  await cores.measure();
  const rounds: { readonly one: number; readonly several: number; readonly cores: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await useThreads(1);
    const one = typicalTime();
    await useThreads(threads);
    const before = await cores.measure();
    const several = typicalTime();
    rounds.push({ one, several, cores: Math.min(before, await cores.measure()) });
  }
  cores.end();
  const speedupOf = (some: typeof rounds) => median(some.map(({ one, several }) => one / several));
  const undisturbed = rounds.filter(({ cores }) => cores >= OWN_CORES * threads);
  const timeOf = async (count: number, times: readonly number[]) => {
    await setThreads(count);
    return { ms: median(times), ...(await profilePrediction(model, image)) };
  };
  const isSame = logits.every((values) => values.every((value, i) => Object.is(value, logits[0][i])));
  return {
    threads,
    one: await timeOf(
      1,
      rounds.map(({ one }) => one),
    ),
    several: await timeOf(
      threads,
      rounds.map(({ several }) => several),
    ),
    speedup: speedupOf(rounds),
    undisturbed: {
      rounds: undisturbed.length,
      ...(undisturbed.length > 0 && { speedup: speedupOf(undisturbed) }),
    },
    cores: median(rounds.map(({ cores }) => cores)),
    rounds: rounds.length,
    isSame,
  };
};
