/** How a language model continues a text. */
import { type GenerateOptions, type Generation, GrootL } from 'tfjs-grootvl';
import { modelClosing, openedModel } from './library.js';

/** How the tokens are chosen, and how many there are at most. */
export type WritingOptions = Omit<GenerateOptions, 'signal'>;

/** How far a text has come. */
export interface Pace {
  /** Tokens after the prompt. */
  readonly tokens: number;
  /** Milliseconds until the first of them. */
  readonly firstTokenMs: number;
  /** Of all tokens after the first; undefined while there is none. */
  readonly tokensPerSecond: number | undefined;
}

/** @throws {Error} when no language model is open, or one that reads no texts */
function languageModel(): GrootL {
  const model = openedModel();
  if (!(model instanceof GrootL)) throw new Error('the open model writes no texts');
  if (model.tokenizer) return model;
  throw new Error('the open model has no tokenizer: add its folder again, with tokenizer.json');
}

/** Aborted with the given one, and when another model is opened. */
function untilClosed(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, modelClosing()]);
}

/**
 * Continues a prompt.
 * @param onPiece is called with the text of every token as it comes; it may be empty while a character is incomplete
 */
async function write(
  prompt: string,
  options: WritingOptions,
  onPiece: (piece: string, pace: Pace) => void | Promise<void>,
  signal: AbortSignal,
): Promise<Generation> {
  const started = performance.now();
  let first: number | undefined;
  const stream = languageModel().stream(prompt, { ...options, signal: untilClosed(signal) });
  for (let tokens = 1; ; tokens++) {
    const next = await stream.next();
    if (next.done) return next.value;
    const now = performance.now();
    first ??= now;
    const tokensPerSecond = tokens === 1 ? undefined : (1000 * (tokens - 1)) / (now - first);
    // Waits for the page, so that no piece is under way when the answer arrives.
    await onPiece(next.value.text, { tokens, firstTokenMs: first - started, tokensPerSecond });
  }
}

/** A prompt as a model reads it. */
export interface ReadPrompt {
  /** The text of every token. */
  readonly tokens: readonly string[];
  /** Position of every token's parent in the tree of the layer, -1 for the root; undefined where the model has no tree. */
  readonly parents: readonly number[] | undefined;
  readonly layers: number;
}

/** The tokens of a prompt, and the tree that a layer makes of them. */
async function readPrompt(prompt: string, layer: number, signal: AbortSignal): Promise<ReadPrompt> {
  const model = languageModel();
  const { tokens, tree } = await model.view(prompt, { layer, signal: untilClosed(signal) });
  const parents = tokens.map(() => -1);
  tree?.order.forEach((token, i) => {
    if (i > 0) parents[token] = tree.order[tree.parent[i]];
  });
  return {
    tokens: tokens.map(({ text }) => text),
    parents: tree && parents,
    layers: model.metadata.architecture.layers,
  };
}

export const calls = { readPrompt, write };
