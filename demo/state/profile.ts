/** The profile of a prediction of the open model, on request. */
import { effect, signal } from '@preact/signals';
import type { Profile } from '../engine/profile.js';
import { running } from './backends.js';
import { attempt, call } from './engine.js';
import { image } from './images.js';
import { opened } from './library.js';
import { prompt } from './write.js';

export const profile = signal<Profile | undefined>();

// A profile of another model or backend does not apply.
effect(() => {
  opened.value;
  running.value;
  profile.value = undefined;
});

export async function profilePrediction(): Promise<void> {
  profile.value = await attempt('Profiling a prediction', async () => {
    const blob = await (await fetch(image.value.url)).blob();
    return call((engine) => engine.profileModel(blob, prompt.value));
  });
}
