/** A text that a language model continues, and how. */
import { computed, effect, signal } from '@preact/signals';
import { proxy } from 'comlink';
import type { Pace, ReadPrompt, WritingOptions } from '../engine/write.js';
import { attempt, call, error } from './engine.js';
import { opened } from './library.js';

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
  ending.value = whole ? ENDINGS[whole.stop] : controller.signal.aborted ? 'stopped' : 'broken off';
  running.value = undefined;
}

/** Layer whose tree is shown. */
export const layer = signal(0);
/** The prompt as the model reads it. */
export const read = signal<ReadPrompt | undefined>();
/** Position of the token that is pointed at. */
export const pointed = signal<number | undefined>();

/** Positions from the token that is pointed at to the root of the tree. */
export const path = computed(() => {
  const parents = read.value?.parents;
  const positions: number[] = [];
  let next = pointed.value ?? ROOT;
  if (!parents || next >= parents.length) return positions;
  for (; next !== ROOT; next = parents[next]) positions.push(next);
  return positions;
});

/** Stands for the parent that the root does not have. */
export const ROOT = -1;

/** Milliseconds without a keystroke after which a prompt is read. */
const PAUSE = 200;

effect(() => {
  opened.value; // another model
  layer.value = 0;
  read.value = undefined;
});

effect(() => {
  const [text, ofLayer] = [prompt.value, layer.value];
  if (opened.value?.family !== 'GrootL') return undefined;
  const controller = new AbortController();
  // No attempt(): what happens while somebody types is not announced.
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
