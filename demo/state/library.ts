/** The models that the page knows. */
import { signal } from '@preact/signals';
import type { ModelSummary } from '../engine/library.js';
import { attempt, call } from './engine.js';

/** The model that is open. */
export const opened = signal<ModelSummary | undefined>();

export async function open(id: string): Promise<void> {
  const summary = await attempt('Opening the model', () => call((engine) => engine.openModel(id)));
  if (summary) opened.value = summary;
}
