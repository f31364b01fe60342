/** Repeated predictions for the selected image. */
import { signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { Measurement } from '../engine/measure.js';
import { attempt, call } from './engine.js';
import { fetchImage, image } from './images.js';
import { latest } from './latest.js';

export const measurement = signal<Measurement | undefined>();
/** Number of predictions so far; undefined if not measuring. */
export const progress = signal<number | undefined>();

const nextMeasurement = latest();

export async function measure(times: number): Promise<void> {
  const signal = nextMeasurement();
  measurement.value = undefined;
  progress.value = 0;
  const result = await attempt(`Predicting ${times} times`, async () => {
    const blob = await fetchImage(image.peek(), signal);
    const onProgress = proxy((done: number) => {
      if (!signal.aborted) progress.value = done;
    });
    return call((engine) => engine.measure(blob, times, onProgress, signal));
  });
  if (progress.peek() === undefined) return; // discarded in the meantime
  progress.value = undefined;
  measurement.value = result;
}

/** Stops, keeping the predictions made so far. */
export function stopMeasuring(): void {
  nextMeasurement();
}

/** Discards the measurement when another image or model is selected. */
export function forgetMeasurement(): void {
  stopMeasuring();
  progress.value = undefined;
  measurement.value = undefined;
}
