/** A text that a language model continues, and how. */
import { computed, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { Pace, WritingOptions } from '../engine/write.js';
import { attempt, call } from './engine.js';

export const prompt = signal('This program is free software; you can redistribute it');
export const options = signal<WritingOptions>({ temperature: 0.8, topK: 40, maxTokens: 60, seed: 1 });

/** What was continued, and the text after it so far. */
export const written = signal<{ readonly prompt: string; readonly text: string } | undefined>();
export const pace = signal<Pace | undefined>();
/** Why the text ended; undefined while it goes on. */
export const ending = signal<string | undefined>();

const ENDINGS = {
  eos: 'the model has ended the text',
  stop: 'a stop text came',
  length: 'the maximum of new tokens is reached',
};

/** Of the text that is being written. */
const running = signal<AbortController | undefined>();
export const isWriting = computed(() => running.value !== undefined);

/** Ends the text after the token that is being computed. */
export function stop(): void {
  running.value?.abort();
}

/** Continues the prompt, in place of what was written before. */
export async function generate(): Promise<void> {
  const controller = new AbortController();
  const given = prompt.value;
  const onPiece = proxy((piece: string, now: Pace) => {
    written.value = { prompt: given, text: (written.value?.text ?? '') + piece };
    pace.value = now;
  });
  running.value = controller;
  written.value = { prompt: given, text: '' };
  pace.value = undefined;
  ending.value = undefined;
  const whole = await attempt('Writing', () =>
    call((engine) => engine.write(given, options.value, onPiece, controller.signal)),
  );
  if (whole) written.value = { prompt: given, text: whole.text };
  ending.value = whole ? ENDINGS[whole.stop] : controller.signal.aborted ? 'stopped' : 'failed';
  running.value = undefined;
}
