/** The text that a language model continues, and the options. */
import { computed, effect, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { Pace, ReadPrompt, WritingOptions } from '../engine/write.js';
import { attempt, call, error } from './engine.js';
import { opened } from './library.js';

export const prompt = signal('This program is free software; you can redistribute it');
export const options = signal<WritingOptions>({ temperature: 0.8, topK: 40, maxTokens: 60, seed: 1 });

/** The prompt, and the text generated so far. */
export const written = signal<{ readonly prompt: string; readonly text: string } | undefined>();
export const pace = signal<Pace | undefined>();
/** Why the text ended; undefined while it is being generated. */
export const ending = signal<string | undefined>();

const ENDINGS = {
  eos: 'the model has ended the text',
  stop: 'a stop text came',
  length: 'the maximum of new tokens is reached',
};

/** Aborts the text that is being generated. */
const running = signal<AbortController | undefined>();
export const isWriting = computed(() => running.value !== undefined);

/** Stops after the token that is being computed. */
export function stop(): void {
  running.value?.abort();
}

/** Continues the prompt, replacing the previous text. */
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
  ending.value = whole ? ENDINGS[whole.stop] : controller.signal.aborted ? 'stopped' : 'broken off';
  running.value = undefined;
}

/** Layer whose tree is shown. */
export const layer = signal(0);
/** The prompt as tokenized by the model. */
export const read = signal<ReadPrompt | undefined>();
/** Position of the token under the pointer. */
export const pointed = signal<number | undefined>();

/** Positions from the token under the pointer to the root of the tree. */
export const path = computed(() => {
  const parents = read.value?.parents;
  const positions: number[] = [];
  let next = pointed.value ?? ROOT;
  if (!parents || next >= parents.length) return positions;
  for (; next !== ROOT; next = parents[next]) positions.push(next);
  return positions;
});

/** Marks the missing parent of the root. */
export const ROOT = -1;

/** Milliseconds without a keystroke before the prompt is processed. */
const PAUSE = 200;

effect(() => {
  opened.value; // depends on the model
  layer.value = 0;
  read.value = undefined;
});

effect(() => {
  const [text, ofLayer] = [prompt.value, layer.value];
  if (opened.value?.family !== 'GrootL') return undefined;
  const controller = new AbortController();
  // Not through attempt(): what happens while the user types is not announced.
  const timer = setTimeout(async () => {
    try {
      const answer = await call((engine) => engine.readPrompt(text, ofLayer, controller.signal));
      if (!controller.signal.aborted) read.value = answer;
    } catch (reason) {
      const { name, message } = reason as Error;
      if (name !== 'AbortError') error.value = message;
    }
  }, PAUSE);
  return () => {
    clearTimeout(timer);
    controller.abort();
  };
});
