/** Text generation with a language model. */
import { type GenerateOptions, type Generation, GrootL } from 'tfjs-grootvl';
import { modelClosing, openedModel } from './library.js';

/** How tokens are sampled, and their maximum number. */
export type WritingOptions = Omit<GenerateOptions, 'signal'>;

/** Progress and speed of a text. */
export interface Pace {
  /** Tokens after the prompt. */
  readonly tokens: number;
  /** Milliseconds to the first of them. */
  readonly firstTokenMs: number;
  /** For all tokens after the first; undefined if there are none yet. */
  readonly tokensPerSecond: number | undefined;
}

/** @throws {Error} if no language model is open, or it has no tokenizer */
function languageModel(): GrootL {
  const model = openedModel();
  if (!(model instanceof GrootL)) throw new Error('the open model writes no texts');
  if (model.tokenizer) return model;
  throw new Error('the open model has no tokenizer: add its folder again, with tokenizer.json');
}

/** Aborted with the given signal, and when another model is opened. */
function untilClosed(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, modelClosing()]);
}

/**
 * Continues a prompt.
 * @param onPiece called with the text of each token as it is generated; empty while a character is incomplete
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
    // Waits for the page, so that no piece is in transit when the result arrives.
    await onPiece(next.value.text, { tokens, firstTokenMs: first - started, tokensPerSecond });
  }
}

/** A prompt as tokenized by a model. */
export interface ReadPrompt {
  /** The text of every token. */
  readonly tokens: readonly string[];
  /** Position of every token's parent in the tree of the layer, -1 for the root; undefined where the model has no tree. */
  readonly parents: readonly number[] | undefined;
  readonly layers: number;
}

/** The tokens of a prompt, and a layer's tree over them. */
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
