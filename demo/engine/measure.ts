/** Measures the time of a prediction, and whether many of them leak tensors. */
import { memory } from '@tensorflow/tfjs-core';
import { Detector, GrootV, Segmenter } from 'tfjs-grootvl';
import { openedModel } from './library.js';

export interface Measurement {
  /** Number of predictions. */
  readonly times: number;
  /** Milliseconds per prediction, from the image file to the result. */
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
  /** Tensors on the backend, before the first and after the last prediction. */
  readonly tensors: readonly [before: number, after: number];
  readonly bytes: readonly [before: number, after: number];
}

/** Milliseconds between two progress reports. */
const REPORT_EVERY = 100;

/** Repeats the same prediction until it is stopped. */
async function measure(
  image: Blob,
  times: number,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<Measurement> {
  const predict = predictionOf(image);
  await predict(); // the first one takes longer
  const before = memory();
  const each: number[] = [];
  let reported = performance.now();
  do {
    const started = performance.now();
    await predict();
    const now = performance.now();
    each.push(now - started);
    if (now - reported < REPORT_EVERY) continue;
    reported = now;
    onProgress(each.length);
    await new Promise((resolve) => setTimeout(resolve)); // lets the signal's message arrive
  } while (each.length < times && !signal.aborted);
  const after = memory();
  each.sort((a, b) => a - b);
  return {
    times: each.length,
    median: each[Math.floor(each.length / 2)],
    fastest: each[0],
    slowest: each[each.length - 1],
    tensors: [before.numTensors, after.numTensors],
    bytes: [before.numBytes, after.numBytes],
  };
}

/** A prediction of the open model. @throws {Error} if it predicts nothing for an image */
export function predictionOf(image: Blob): () => Promise<unknown> {
  const model = openedModel();
  if (model instanceof GrootV && model.metadata.architecture.classes > 0) return () => model.classify(image);
  if (model instanceof Segmenter) return () => model.segment(image);
  if (model instanceof Detector) return () => model.detect(image, { masks: 'bitmap' });
  throw new Error('the open model predicts nothing of an image');
}

export const calls = { measure };
