/** The picture that is looked at, and what the model says of it. */
import { signal } from '@preact/signals';
import type { Prediction } from 'tfjs-grootvl';
import { attempt, call } from './engine.js';

export const picture = signal<Blob | undefined>();
export const predictions = signal<readonly Prediction[]>([]);
/** Of the last prediction. */
export const milliseconds = signal<number | undefined>();

/** Looks at a picture. */
export async function look(blob: Blob): Promise<void> {
  picture.value = blob;
  const answer = await attempt('Classifying', () => call((engine) => engine.classify(blob, 5)));
  if (!answer) return;
  predictions.value = answer.predictions;
  milliseconds.value = answer.milliseconds;
}
