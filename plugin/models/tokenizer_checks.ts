/** Checks the structure of tokenizer.json and tokenizer_config.json before a tokenizer is created from them. */
import {
  boolean,
  type Check,
  integer,
  isRecord,
  listOf,
  number,
  oneOf,
  optional,
  optionalOrNull,
  quote,
  record,
  refuse,
  text,
} from './checks.js';

/** Ids index an array; published vocabularies have up to 300,000 tokens. */
const ID = integer(0, 2 ** 22);
const MAX_TOKENS = 2 ** 21;
const TOKEN = text(2000);
const PIECE = text(1000);
/** Maximum number of parts of a normalizer, pre-tokenizer, post-processor or decoder, and maximum nesting of sequences. */
const MAX_PARTS = 64;
const MAX_NESTING = 4;

const PATTERN = record({ String: optionalOrNull(PIECE), Regex: optionalOrNull(text(20_000)) });

/** Checked fields of parts, by type; types without such fields are listed so that unknown types can be rejected. */
const NORMALIZERS: Parts = {
  list: 'normalizers',
  types: {
    BertNormalizer: {},
    Precompiled: {},
    Replace: { pattern: PATTERN, content: optional(PIECE) },
    NFC: {},
    NFD: {},
    NFKC: {},
    NFKD: {},
    Strip: {},
    StripAccents: {},
    Lowercase: {},
    Prepend: { prepend: PIECE },
  },
};

const PRE_TOKENIZERS: Parts = {
  list: 'pretokenizers',
  types: {
    BertPreTokenizer: {},
    Whitespace: {},
    WhitespaceSplit: {},
    Metaspace: {
      replacement: optional(PIECE),
      str_rep: optionalOrNull(PIECE),
      prepend_scheme: optional(PIECE),
    },
    ByteLevel: {},
    Split: { pattern: PATTERN, behavior: optional(PIECE), invert: optional(boolean) },
    Punctuation: {},
    Digits: { individual_digits: optional(boolean) },
    Replace: { pattern: PATTERN, content: optional(PIECE) },
    FixedLength: { length: integer(1) },
  },
};

const SPECIAL: Check = (value, name) => {
  listOf(() => {}, 2, 2)(value, name);
  const [token, id] = value as unknown[];
  TOKEN(token, `${name}[0]`);
  ID(id, `${name}[1]`);
};

const TEMPLATE = listOf(
  (value, name) => {
    record({
      SpecialToken: optional(record({ id: TOKEN })),
      Sequence: optional(record({ id: oneOf('A', 'B') })),
    })(value, name);
    if ((value as { Sequence?: { id: string } }).Sequence?.id === 'B') {
      throw new Error(`${name} has a second text, expected templates of a single one`);
    }
  },
  0,
  100,
);

const POST_PROCESSORS: Parts = {
  list: 'processors',
  types: {
    TemplateProcessing: { single: TEMPLATE },
    ByteLevel: {},
    BertProcessing: { sep: SPECIAL, cls: SPECIAL },
    RobertaProcessing: { sep: SPECIAL, cls: SPECIAL },
  },
};

const DECODERS: Parts = {
  list: 'decoders',
  types: {
    ByteLevel: {},
    WordPiece: { prefix: optional(PIECE), cleanup: optional(boolean) },
    Metaspace: { replacement: optional(PIECE) },
    BPEDecoder: { suffix: optional(PIECE) },
    CTC: { pad_token: optional(PIECE), word_delimiter_token: optional(PIECE) },
    Replace: { pattern: PATTERN, content: optional(PIECE) },
    Fuse: {},
    Strip: {
      content: optional(PIECE),
      start: optional(integer(0, 1000)),
      stop: optional(integer(0, 1000)),
    },
    ByteFallback: {},
  },
};

interface Parts {
  /** Name of the list field of a part of type Sequence. */
  readonly list: string;
  readonly types: Readonly<Record<string, Readonly<Record<string, Check>>>>;
}

function partsOf({ list, types }: Parts): Check {
  return (value, name) => {
    let count = 0;
    const check = (part: unknown, at: string, depth: number) => {
      if (++count > MAX_PARTS) throw new Error(`${name} has more than ${MAX_PARTS} parts`);
      if (depth > MAX_NESTING) throw new Error(`${name} is nested deeper than ${MAX_NESTING} levels`);
      record({ type: PIECE })(part, at);
      const { type, ...fields } = part as { type: string } & Record<string, unknown>;
      if (type === 'Sequence') {
        listOf(() => {}, 0, MAX_PARTS)(fields[list], `${at}.${list}`);
        for (const [i, inner] of (fields[list] as unknown[]).entries()) {
          check(inner, `${at}.${list}[${i}]`, depth + 1);
        }
      } else if (Object.hasOwn(types, type)) record(types[type])(part, at);
      else throw new Error(`${at} has the type ${quote(type)}, which is unknown`);
    };
    if (value !== null) check(value, name, 0);
  };
}

const SCORED_TOKENS = listOf(
  (value, name) => {
    listOf(() => {}, 2, 2)(value, name);
    const [token, score] = value as unknown[];
    // Every position of a text is looked up with all token lengths.
    text(256)(token, `${name}[0]`);
    number(-Number.MAX_VALUE, Number.MAX_VALUE)(score, `${name}[1]`);
  },
  1,
  MAX_TOKENS,
);

const VOCABULARY: Check = (value, name) => {
  if (Array.isArray(value)) return SCORED_TOKENS(value, name);
  if (!isRecord(value))
    refuse(value, name, 'an object of tokens and their ids, or an array of tokens and scores');
  const tokens = Object.entries(value);
  if (tokens.length > MAX_TOKENS) refuse(tokens, name, `at most ${MAX_TOKENS} tokens`);
  for (const [token, id] of tokens) {
    TOKEN(token, `a token of ${name}`);
    ID(id, `${name}[${quote(token)}]`);
  }
};

const MERGE: Check = (value, name) => {
  if (typeof value === 'string') text(4000)(value, name);
  else listOf(TOKEN, 2, 2)(value, name);
};

const MODEL: Check = (value, name) => {
  record({
    type: optionalOrNull(oneOf('BPE', 'WordPiece', 'Unigram', 'WordLevel')),
    vocab: VOCABULARY,
    unk_token: optionalOrNull(TOKEN),
    unk_id: optionalOrNull(ID),
    continuing_subword_prefix: optionalOrNull(PIECE),
    end_of_word_suffix: optionalOrNull(PIECE),
    max_input_chars_per_word: optionalOrNull(integer(1, 1000)),
  })(value, name);
  const { type, vocab, merges } = value as Record<string, unknown>;
  if (type === 'BPE') listOf(MERGE, 0, MAX_TOKENS)(merges, `${name}.merges`);
  const hasScores = Array.isArray(vocab);
  if (hasScores !== (type === 'Unigram') && type !== undefined && type !== null) {
    refuse(
      vocab,
      `${name}.vocab`,
      hasScores ? 'an object of tokens and their ids' : 'an array of tokens and scores',
    );
  }
};

/** @throws {Error} that names the field, its value and what is expected. */
export const checkTokenizer: Check = record({
  added_tokens: listOf(record({ id: ID, content: PIECE }), 0, 100_000),
  normalizer: partsOf(NORMALIZERS),
  pre_tokenizer: partsOf(PRE_TOKENIZERS),
  post_processor: partsOf(POST_PROCESSORS),
  decoder: partsOf(DECODERS),
  model: MODEL,
});

/** @throws {Error} as {@link checkTokenizer}. */
export const checkTokenizerConfig: Check = record({
  additional_special_tokens: optional(listOf(() => {}, 0, 100_000)),
  clean_up_tokenization_spaces: optionalOrNull(boolean),
  remove_space: optionalOrNull(boolean),
  do_lowercase_and_remove_accent: optionalOrNull(boolean),
});
