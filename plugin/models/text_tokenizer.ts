/** Converts text to token ids and back, using the tokenizer files of a HuggingFace model. */
import type { Tokenizer } from '@huggingface/tokenizers';
import { parseBoundedJson } from './bounded_json.js';
import { BoundedPattern, PatternBudget } from './bounded_pattern.js';
import { boolean, options as checkOptions, isRecord, listOf, number, text as textOf } from './checks.js';
import { byteLevelPiece, plainPiece } from './token_pieces.js';
import { checkTokenizer, checkTokenizerConfig } from './tokenizer_checks.js';

/** Maximum characters of a text to encode. */
const MAX_TEXT = 2 ** 24;

/** Strings whose spaces are removed by `clean_up_tokenization_spaces`. */
const CLEANED_UP = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];

/**
 * The tokenizer of a model. Its files are untrusted: their structure is checked, their patterns run in bounded time and
 * their normalizers in bounded memory.
 */
export class TextTokenizer {
  private constructor(
    private readonly tokenizer: Tokenizer,
    private readonly budget: PatternBudget,
    /** Added tokens, which are matched literally. */
    private readonly added: ReadonlySet<string>,
    /** Strings of which a beginning at the end of a decoded text may change with the next token. */
    readonly unstable: readonly string[],
  ) {}

  /**
   * @param files the texts of tokenizer.json and tokenizer_config.json.
   * @returns undefined if the model has no tokenizer.json.
   * @throws {Error} one line that names the file, if it cannot be used.
   */
  static async load(files: Readonly<Record<string, string>>): Promise<TextTokenizer | undefined> {
    const json = files['tokenizer.json'];
    if (json === undefined) return undefined;
    const tokenizer = parseBoundedJson(json, 'tokenizer.json');
    const config = parseBoundedJson(files['tokenizer_config.json'] ?? '{}', 'tokenizer_config.json');
    checkTokenizer(tokenizer, 'tokenizer.json');
    checkTokenizerConfig(config, 'tokenizer_config.json');
    const { Tokenizer } = await import('@huggingface/tokenizers');
    const budget = new PatternBudget();
    return readable('cannot be used', () => {
      const { added_tokens: added, ...rest } = tokenizer as { added_tokens: readonly AddedToken[] };
      // The constructor would normalize them before anything is bounded.
      const plain = added.map((token) => ({ ...token, normalized: false }));
      const made = new Tokenizer({ ...rest, added_tokens: plain }, config as object);
      bound(made, budget);
      normalizeAdded(made, added, budget);
      const cleansUp = (config as { clean_up_tokenization_spaces?: boolean }).clean_up_tokenization_spaces;
      const contents = new Set(added.map(({ content }) => content));
      const loaded = new TextTokenizer(made, budget, contents, (cleansUp ?? true) ? CLEANED_UP : []);
      // Detects an unusable tokenizer now, and not in the middle of a text.
      loaded.decode(loaded.encode('A test.'));
      return loaded;
    });
  }

  /**
   * @param options.specialTokens whether to add the special tokens that the tokenizer puts at the start or end of a text;
   *   default true.
   * @throws {Error} if the text is too long for the tokenizer.
   */
  encode(text: string, options: { specialTokens?: boolean } = {}): number[] {
    textOf(MAX_TEXT)(text, 'TextTokenizer.encode: the text');
    checkOptions(options, 'TextTokenizer.encode', { specialTokens: boolean });
    if (text === '') return [];
    this.budget.reset(text.length);
    return readable('cannot encode this text', () => {
      const { ids }: { ids: (number | undefined)[] } = this.tokenizer.encode(text, {
        add_special_tokens: options.specialTokens ?? true,
      });
      // Undefined for an unknown token if the tokenizer has no token for unknown ones.
      return ids.filter((id): id is number => id !== undefined);
    });
  }

  /** Decodes ids, with special tokens spelled out. Unknown ids are omitted. */
  decode(ids: readonly number[]): string {
    listOf(number(0, Number.MAX_SAFE_INTEGER), 0, Number.MAX_SAFE_INTEGER)(ids, 'TextTokenizer.decode: ids');
    this.budget.reset(1000 * ids.length);
    return readable('cannot decode these tokens', () => {
      const known = ids.filter((id) => this.tokenizer.id_to_token(id) !== undefined);
      return known.length === 0 ? '' : this.tokenizer.decode(known, { skip_special_tokens: false });
    });
  }

  /**
   * Decodes every token by itself, with its spaces: bytes that do not form a character as `<0xE2>`, an unknown id as `#` and
   * the id.
   */
  pieces(ids: readonly number[]): string[] {
    const parts = [...partsOf(this.tokenizer.decoder)];
    const isByteLevel = parts.some(({ config }) => isRecord(config) && config.type === 'ByteLevel');
    return ids.map((id) => {
      const token = this.tokenizer.id_to_token(id);
      if (token === undefined) return `#${id}`;
      if (this.added.has(token)) return token;
      return isByteLevel ? byteLevelPiece(token) : plainPiece(token);
    });
  }
}

/** Errors of the library name the file; those of the JavaScript engine do not help. */
function readable<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const isOfEngine = !(cause instanceof Error) || cause instanceof TypeError || cause instanceof RangeError;
    const reason = isOfEngine ? 'its parts do not fit together' : cause.message;
    throw new Error(`tokenizer.json ${what}: ${reason}`, { cause });
  }
}

/** Replaces every pattern of a tokenizer by a bounded engine, and bounds the result of every normalizer. */
function bound({ normalizer, pre_tokenizer, decoder }: Tokenizer, budget: PatternBudget): void {
  for (const part of [...partsOf(normalizer), ...partsOf(pre_tokenizer), ...partsOf(decoder)]) {
    // The patterns of other parts are the library's own.
    if (isRecord(part.config) && part.config.pattern !== undefined && part.pattern instanceof RegExp) {
      part.pattern = new BoundedPattern(part.pattern, budget);
    }
    const { normalize } = part;
    if (normalize) {
      part.normalize = (text) => {
        const normalized = normalize.call(part, text);
        budget.checkLength(normalized.length);
        return normalized;
      };
    }
  }
}

interface AddedToken {
  readonly content: string;
  readonly special?: boolean;
  readonly normalized?: boolean;
}

/** Matches added tokens in normalized texts too, as the library's constructor does. */
function normalizeAdded(tokenizer: Tokenizer, added: readonly AddedToken[], budget: PatternBudget): void {
  const { normalizer } = tokenizer;
  if (!normalizer) return;
  const fields = tokenizer as unknown as {
    readonly added_tokens_map: Map<string, unknown>;
    splitter_unnormalized: object;
    splitter_normalized: object;
  };
  const Splitter = fields.splitter_normalized.constructor as new (words: string[]) => object;
  const contents: { plain: string[]; normalized: string[] } = { plain: [], normalized: [] };
  for (const { content, special, normalized } of added) {
    if (!(normalized ?? !special)) {
      contents.plain.push(content);
      continue;
    }
    budget.reset(content.length);
    const text = normalizer.normalize(content);
    contents.normalized.push(text);
    fields.added_tokens_map.set(text, fields.added_tokens_map.get(content));
  }
  fields.splitter_unnormalized = new Splitter(contents.plain);
  fields.splitter_normalized = new Splitter(contents.normalized);
}

interface Part {
  readonly config?: unknown;
  pattern?: unknown;
  normalize?: (text: string) => string;
  readonly normalizers?: unknown[];
  readonly tokenizers?: unknown[];
  readonly decoders?: unknown[];
}

function* partsOf(root: unknown): Generator<Part> {
  if (root === null || root === undefined) return;
  const part = root as Part;
  yield part;
  for (const list of [part.normalizers, part.tokenizers, part.decoders]) {
    for (const inner of list ?? []) yield* partsOf(inner);
  }
}
