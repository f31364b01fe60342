/** GrootL: a converted language model that continues texts and computes their probability. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { getBackend, type io, type Tensor3D } from '@tensorflow/tfjs-core';
import { nextTask } from '../next_task.js';
import type { Adapter } from './adapter.js';
import { MAX_JSON_CHARACTERS } from './bounded_json.js';
import {
  abortSignal,
  type Check,
  options as checkOptions,
  integer,
  isRecord,
  listOf,
  quote,
  record,
  refuse,
  show,
  text as textOf,
} from './checks.js';
import { GROOTL_METADATA, type GrootLMetadata } from './grootl_metadata.js';
import { LanguageGraphs } from './language_graphs.js';
import { type LoadedModel, openModel } from './loaded_model.js';
import { readMetadata } from './metadata.js';
import { type LoadOptions, type ModelSource, type OpenedSource, openSource } from './model_files.js';
import { type PromptView, promptTree } from './prompt_view.js';
import {
  checkSampling,
  chooseToken,
  logSumExp,
  mostProbable,
  randomNumbers,
  type SamplingOptions,
} from './sampling.js';
import { batches, type Perplexity, type Request, type Score, TRAILING_SPACE } from './scoring.js';
import { TextStream } from './text_stream.js';
import { TextTokenizer } from './text_tokenizer.js';

export interface GenerateOptions extends SamplingOptions {
  /** Maximum number of tokens, 40 by default. */
  readonly maxTokens?: number;
  /** One or several strings before which generation stops; they are not part of the result. */
  readonly stop?: string | readonly string[];
  readonly signal?: AbortSignal;
}

/** A generated token. */
export interface GeneratedToken {
  readonly id: number;
  /** Text that is final with this token: empty while a character or a stop string is incomplete. */
  readonly text: string;
  /** Natural logarithm of its probability, independent of the sampling options. */
  readonly logprob: number;
}

/** A generated text. */
export interface Generation {
  /** Token ids of the prompt. */
  readonly promptTokens: readonly number[];
  /** Token ids after the prompt, including the end-of-text token if it was generated. */
  readonly tokens: readonly number[];
  /** Their text, with special tokens spelled out. */
  readonly text: string;
  /** End of text, a stop string, or `maxTokens`. */
  readonly stop: 'eos' | 'stop' | 'length';
  readonly backend: string;
  /** Milliseconds to the first token. */
  readonly prefillMs: number;
  /** Average milliseconds per further token; 0 if there is none. */
  readonly msPerToken: number;
}

/** A converted GrootL or Mamba language model. */
export class GrootL {
  private adapted: LanguageGraphs | undefined;

  private constructor(
    private readonly base: LanguageGraphs,
    /** Undefined if the model has none; prompts are then token ids. */
    readonly tokenizer: TextTokenizer | undefined,
  ) {}

  /**
   * Loads a model that was written by the converter or by {@link save}.
   * @param source URL of its model.json (also `indexeddb://name`), a folder such as `fileSystem(dir)` of
   *   `tfjs-grootvl/node`, any IOHandler such as `tf.io.http(url, options)`, or a `MemorySink`. If the source is a single
   *   model without the files beside it, `options.files` can provide `decode.json` and `tokenizer.json`; without the first,
   *   each token costs as much as reading all previous tokens, without the second, prompts are token ids.
   * @throws {Error} one line, if it cannot be loaded or is not a GrootL model; the signal's reason if it is aborted.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<GrootL> {
    const method = 'GrootL.load';
    const opened = openSource(method, source, options);
    const beside = readBeside(opened);
    beside.catch(() => {}); // the error is reported after the model's
    return openModel(opened, options, (model) => GrootL.of(method, model, opened, beside));
  }

  /** @internal */
  static async of(
    method: string,
    model: LoadedModel,
    opened: OpenedSource,
    beside = readBeside(opened),
  ): Promise<GrootL> {
    const metadata = readMetadata<GrootLMetadata>(method, model, 'GrootL', GROOTL_METADATA);
    const files = {
      ...(opened.readText ? await beside : embedded(model.files)),
      ...embedded(metadata.files),
    };
    if (files['decode.json'] === undefined && opened.readText) {
      throw new Error(`${method}: there is no decode.json beside model.json`);
    }
    const tokenizer = await TextTokenizer.load(files);
    const graphs = await LanguageGraphs.over(model, metadata, files['decode.json']);
    if (Object.keys(files).length > 0) model.savedMetadata = { files };
    return new GrootL(graphs, tokenizer);
  }

  get metadata(): GrootLMetadata {
    return this.base.metadata;
  }

  /**
   * The GraphModel that reads a text: inputs `input_ids` and `prompt_length`, output `logits`. A different one while an
   * adapter is attached.
   */
  get model(): GraphModel {
    return this.graphs.prefill;
  }

  /**
   * Attaches a LoRA adapter and detaches the previous one. The model's own weights do not change: updated matrices are held
   * beside them. An output head tied to the embeddings is not updated either, as in training.
   * @param adapter the result of `readAdapter` of `tfjs-grootvl/converters`, or an adapter in training, with its current
   *   values.
   * @throws {Error} if it updates a module that the model does not have.
   */
  async attach(adapter: Adapter | { readonly weights: () => Promise<Adapter> }): Promise<void> {
    const given = 'weights' in adapter ? await adapter.weights() : adapter;
    if (!Array.isArray(given?.modules)) refuse(given, 'GrootL.attach: the adapter', 'what readAdapter gives');
    const adapted = await this.base.adaptedBy(given);
    this.detach();
    this.adapted = adapted;
  }

  /** Whether an adapter is attached. */
  get hasAdapter(): boolean {
    return this.adapted !== undefined;
  }

  /** Detaches the adapter: the model's outputs are again the same bit for bit. Does nothing if none is attached. */
  detach(): void {
    this.adapted?.dispose();
    this.adapted = undefined;
  }

  private get graphs(): LanguageGraphs {
    return this.adapted ?? this.base;
  }

  /**
   * Continues a prompt.
   * @param prompt text, or token ids.
   * @throws {Error} if it is text and there is no tokenizer, an id or option is invalid, or the prompt does not fit into
   *   memory; the signal's reason if it is aborted.
   */
  async generate(prompt: string | readonly number[], options: GenerateOptions = {}): Promise<Generation> {
    const stream = this.stream(prompt, options);
    for (;;) {
      const next = await stream.next();
      if (next.done) return next.value;
    }
  }

  /** Continues a prompt token by token: see {@link generate}. The iterator's return value is the complete result. */
  async *stream(
    prompt: string | readonly number[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedToken, Generation, void> {
    checkSampling('GrootL.generate', options);
    checkOptions(options, 'GrootL.generate', GENERATE_OPTIONS);
    const { maxTokens = 40, signal } = options;
    const stops = typeof options.stop === 'string' ? [options.stop] : (options.stop ?? []);
    signal?.throwIfAborted();
    const promptTokens = this.promptIds('GrootL.generate', prompt);
    const random = randomNumbers(options.seed);
    const text = new TextStream(
      (ids) => this.tokenizer?.decode(ids) ?? '',
      stops.filter((each) => each !== ''),
      this.tokenizer?.unstable,
    );
    const tokens: number[] = [];
    const start = performance.now();
    let reason: Generation['stop'] = 'length';
    let { logits, state } = await this.graphs.readToEnd(promptTokens, promptTokens.length);
    const prefillMs = performance.now() - start;
    try {
      for (;;) {
        const id = chooseToken(logits, options, random);
        tokens.push(id);
        const atEnd = id === this.metadata.tokens.endOfText;
        const piece = text.push(id, (stopped) => stopped || atEnd || tokens.length === maxTokens);
        if (text.stopped) reason = 'stop';
        else if (atEnd) reason = 'eos';
        yield { id, text: piece, logprob: logits[id] - logSumExp(logits) };
        if (reason !== 'length' || tokens.length === maxTokens) break;
        await nextTask();
        signal?.throwIfAborted();
        ({ logits, state } = await this.graphs.next(id, state));
      }
    } finally {
      state.dispose();
    }
    const steps = tokens.length - 1;
    return {
      promptTokens,
      tokens,
      text: text.text,
      stop: reason,
      backend: getBackend(),
      prefillMs,
      msPerToken: steps === 0 ? 0 : (performance.now() - start - prefillMs) / steps,
    };
  }

  /**
   * Returns the tokens of a prompt, and the tree over them that a layer builds when it reads the prompt.
   * @param prompt text, or token ids.
   * @param options.layer from 0, the default, to `metadata.architecture.layers` - 1.
   * @throws {Error} as {@link generate}.
   */
  async view(
    prompt: string | readonly number[],
    options: { readonly layer?: number; readonly signal?: AbortSignal } = {},
  ): Promise<PromptView> {
    const { layers, scan } = this.metadata.architecture;
    checkOptions(options, 'GrootL.view', { layer: integer(0, layers - 1), signal: abortSignal });
    const { layer = 0, signal } = options;
    signal?.throwIfAborted();
    const ids = this.promptIds('GrootL.view', prompt);
    const pieces = this.tokenizer?.pieces(ids) ?? ids.map((id) => `#${id}`);
    const tokens = ids.map((id, i) => ({ id, text: pieces[i] }));
    if (scan === 'chain') return { tokens, tree: undefined };
    const tree = promptTree(...(await this.graphs.tree(ids, layer)));
    signal?.throwIfAborted();
    return { tokens, tree };
  }

  /**
   * Computes the log-probability of a continuation after a context, as defined by EleutherAI's evaluation harness: trailing
   * white space of the context belongs to the continuation, and an empty context is one beginning-of-text token.
   * @throws {Error} if the model has no tokenizer or the continuation has no tokens.
   */
  async score(context: string, continuation: string): Promise<Score> {
    ANY_TEXT(context, 'GrootL.score: the context');
    ANY_TEXT(continuation, 'GrootL.score: the continuation');
    const [score] = await this.scoreAll([{ context, continuation }]);
    return score;
  }

  /** Scores several continuations at once. The scores do not depend on one another. */
  async scoreAll(
    requests: readonly { readonly context: string; readonly continuation: string }[],
  ): Promise<Score[]> {
    listOf(SCORE_REQUEST, 0, Number.MAX_SAFE_INTEGER)(requests, 'GrootL.scoreAll: requests');
    return this.scoreIds(requests.map(({ context, continuation }) => this.splitIds(context, continuation)));
  }

  /**
   * Computes the perplexity of a text.
   * @param options.window tokens per window; windows are consecutive and an incomplete last one is dropped. By default the
   *   whole text is one window after a beginning-of-text token, and every token is scored.
   * @param options.promptLength tokens at the start of a window that form its prompt and are not scored; half by default.
   * @throws {Error} if the model has no tokenizer or the text is shorter than a window.
   */
  async perplexity(
    text: string | readonly number[],
    options: { window?: number; promptLength?: number } = {},
  ): Promise<Perplexity> {
    const method = 'GrootL.perplexity';
    const ids = this.idsOf(method, text, false, 'text');
    checkOptions(options, method, { window: integer(2), promptLength: integer(1) });
    const { window } = options;
    const requests: Request[] = [];
    if (window === undefined) {
      requests.push({ ids: [this.firstToken, ...ids], promptLength: 1, scored: ids.length });
    } else {
      const { promptLength = Math.floor(window / 2) } = options;
      if (!(Number.isInteger(promptLength) && promptLength >= 1 && promptLength < window)) {
        throw new Error(
          `GrootL.perplexity: promptLength is ${promptLength}, expected an integer from 1 to below window, ${window}`,
        );
      }
      for (let end = window; end <= ids.length; end += window) {
        requests.push({ ids: ids.slice(end - window, end), promptLength, scored: window - promptLength });
      }
    }
    const scores = await this.scoreIds(requests);
    const scoredTokens = scores.reduce((total, { tokens }) => total + tokens.length, 0);
    if (scoredTokens === 0) {
      throw new Error(
        `GrootL.perplexity: the text has ${ids.length} tokens, expected at least ${window ?? 1}`,
      );
    }
    const logprob = scores.reduce((total, score) => total + score.logprob, 0);
    return { perplexity: Math.exp(-logprob / scoredTokens), logprob, scoredTokens };
  }

  /**
   * Saves the model with the current values of its weights, and the files beside it embedded: a single model.json that
   * {@link load} accepts from anywhere. An attached adapter is not included.
   * @param target an IOHandler such as `fileSystem(dir)`, or a URL such as `indexeddb://name`.
   */
  save(target: io.IOHandler | string): Promise<io.SaveResult> {
    return this.base.prefill.save(target);
  }

  /** Frees the weights. */
  dispose(): void {
    this.detach();
    this.base.dispose();
  }

  /** The token that stands for an empty text. */
  private get firstToken(): number {
    const { beginOfText, endOfText } = this.metadata.tokens;
    return beginOfText ?? endOfText ?? 0;
  }

  private encode(method: string, text: string, specialTokens: boolean): readonly number[] {
    if (this.tokenizer) {
      return this.checkIds(method, 'text', this.tokenizer.encode(text, { specialTokens }));
    }
    throw new Error(
      `${method}: the model has no tokenizer (no tokenizer.json beside model.json); give token ids instead of a text`,
    );
  }

  private promptIds(method: string, prompt: string | readonly number[]): readonly number[] {
    const ids = this.idsOf(method, prompt, true, 'prompt');
    return ids.length === 0 ? [this.firstToken] : ids;
  }

  private idsOf(
    method: string,
    given: string | readonly number[],
    specialTokens: boolean,
    what: 'prompt' | 'text',
  ): readonly number[] {
    if (typeof given === 'string') return this.encode(method, given, specialTokens);
    if (!Array.isArray(given) && !(given instanceof Int32Array)) {
      refuse(given, `${method}: the ${what}`, 'a text or an array of token ids');
    }
    return this.checkIds(method, what, Array.from(given as readonly number[]));
  }

  private checkIds(method: string, what: string, ids: readonly number[]): readonly number[] {
    const { vocabulary } = this.metadata.architecture;
    const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
    if (wrong >= 0) {
      const expected = `expected ids from 0 to ${vocabulary - 1}`;
      throw new Error(`${method}: the ${what} has the token id ${show(ids[wrong])}, ${expected}`);
    }
    return ids;
  }

  private splitIds(context: string, continuation: string): Request {
    const space = TRAILING_SPACE.exec(context)?.[0] ?? '';
    const bare = context.slice(0, context.length - space.length);
    const following = space + continuation;
    const contextIds = this.encode('GrootL.score', bare, false);
    const all = this.encode('GrootL.score', bare + following, false);
    const ids = contextIds.length === 0 ? [this.firstToken, ...all] : all;
    const promptLength = Math.max(1, contextIds.length);
    if (ids.length <= promptLength)
      throw new Error('GrootL.score: the continuation has no tokens of its own');
    return { ids, promptLength, scored: ids.length - promptLength };
  }

  private async scoreIds(requests: readonly Request[]): Promise<Score[]> {
    const scores = new Array<Score>(requests.length);
    for (const batch of batches(requests)) {
      const length = Math.max(...batch.map((index) => requests[index].ids.length - 1));
      const rows = batch.map((index) => {
        const { ids } = requests[index];
        // Padding after a text does not affect earlier positions, as long as the prompt is not longer.
        return Array.from({ length }, (_, t) => (t < ids.length - 1 ? ids[t] : 0));
      });
      const { promptLength } = requests[batch[0]];
      const { hidden } = this.graphs.read(rows, promptLength, false);
      try {
        for (const [row, index] of batch.entries()) {
          scores[index] = await this.scoreRow(hidden, row, requests[index]);
        }
      } finally {
        hidden.dispose();
      }
    }
    return scores;
  }

  private async scoreRow(hidden: Tensor3D, row: number, { ids, scored }: Request): Promise<Score> {
    const first = ids.length - scored;
    const positions = Array.from({ length: scored }, (_, i) => ({ row, position: first - 1 + i }));
    const tokens: { id: number; logprob: number }[] = [];
    let isGreedy = true;
    for await (const logits of this.graphs.logits(hidden, positions)) {
      const id = ids[first + tokens.length];
      tokens.push({ id, logprob: logits[id] - logSumExp(logits) });
      isGreedy &&= mostProbable(logits) === id;
    }
    return { logprob: tokens.reduce((sum, { logprob }) => sum + logprob, 0), isGreedy, tokens };
  }
}

const ANY_TEXT = textOf(Number.MAX_SAFE_INTEGER);
const SCORE_REQUEST = record({ context: ANY_TEXT, continuation: ANY_TEXT });

const STOP: Check = (value, name) => {
  if (Array.isArray(value)) listOf(textOf(MAX_STOP), 0, 100)(value, name);
  else if (typeof value === 'string') textOf(MAX_STOP)(value, name);
  else refuse(value, name, 'a text or an array of texts');
};
const MAX_STOP = 10_000;

const GENERATE_OPTIONS = {
  maxTokens: integer(1),
  stop: STOP,
  signal: abortSignal,
};

/** The files that lie beside model.json. */
const BESIDE = ['decode.json', 'tokenizer.json', 'tokenizer_config.json'];

async function readBeside({ readText }: OpenedSource): Promise<Record<string, string>> {
  if (!readText) return {};
  const texts = await Promise.all(BESIDE.map(async (file) => [file, await readText(file)] as const));
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Returns those files that are embedded in a model. */
function embedded(files: unknown): Record<string, string> {
  if (!isRecord(files)) return {};
  const texts = BESIDE.filter((file) => Object.hasOwn(files, file)).map((file) => {
    const content = files[file];
    textOf(MAX_JSON_CHARACTERS)(content, `GrootL.load: files[${quote(file)}]`);
    return [file, content as string] as const;
  });
  return Object.fromEntries(texts);
}
