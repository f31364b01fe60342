/**
 * Builds tokenizer.json from vocab.json and merges.txt, as transformers does for GPT2Tokenizer and GPTNeoXTokenizer
 * (convert_slow_tokenizer.py, GPT2Converter): byte-level BPE, and the added tokens that the other files define.
 */
import { isRecord } from '../../plugin/models/checks.js';
import { checkTokenizer } from '../../plugin/models/tokenizer_checks.js';
import { ArchitectureError } from '../errors.js';
import { type JsonObject, parseJsonObject } from './json_file.js';

export const VOCABULARY = 'vocab.json';
export const MERGES = 'merges.txt';

/** An added token as in tokenizer.json. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The default special token of GPT2Tokenizer and GPTNeoXTokenizer, used if no file defines any. */
const END_OF_TEXT = '<|endoftext|>';
const SPECIAL_KEY = /^((bos|eos|unk|sep|pad|cls|mask)_token|additional_special_tokens)$/;

/**
 * The characters that represent the 256 bytes: printable ones represent themselves, the others are U+0100 and up, in order (A.
 * Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, encoder.py).
 */
const BYTE_CHARACTERS = /^[!-~\u00a1-\u00ac\u00ae-\u00ff\u0100-\u0143]+$/;
/** A space. Words in byte-level vocabularies begin with it, and in no other kind. */
const SPACE = '\u0120';

/**
 * The text of tokenizer.json; undefined if there is no vocabulary with merges, or if it is not byte-level.
 * @param files bytes of the folder's files by name, each already validated
 * @throws {ArchitectureError} if files contradict each other, naming them
 */
export function byteLevelTokenizer(files: ReadonlyMap<string, Uint8Array>): string | undefined {
  const [vocabularyFile, mergesFile] = [files.get(VOCABULARY), files.get(MERGES)];
  if (!vocabularyFile || !mergesFile) return undefined;
  const object = (name: string): JsonObject => {
    const bytes = files.get(name);
    return bytes ? parseJsonObject(bytes, name) : {};
  };
  const vocabulary = new Map(Object.entries(object(VOCABULARY) as Readonly<Record<string, number>>));
  const merges = new TextDecoder()
    .decode(mergesFile)
    .split(/\r?\n/)
    .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
  const config = object('tokenizer_config.json');
  const added = addedTokens(
    vocabulary,
    object('added_tokens.json'),
    object('special_tokens_map.json'),
    config,
  );
  const outside = new Set(added.map(({ content }) => content));
  const words = [...vocabulary.keys()].filter((token) => !outside.has(token));
  if (!words.some((token) => token.startsWith(SPACE)) || !words.every((token) => BYTE_CHARACTERS.test(token)))
    return undefined;
  checkMerges(merges, vocabulary);

  const prefixed = config.add_prefix_space === true;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: prefixed, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: /^GPTNeoX/.test(String(config.tokenizer_class)) ? { type: 'NFC' } : null,
    pre_tokenizer: byteLevel,
    post_processor: beginning(config, added) ?? { ...byteLevel, add_prefix_space: true, trim_offsets: false },
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
  try {
    checkTokenizer(tokenizer, `tokenizer.json made of ${VOCABULARY} and ${MERGES}`);
  } catch (error) {
    throw new ArchitectureError((error as Error).message);
  }
  return JSON.stringify(tokenizer);
}

/** @throws {ArchitectureError} if a merge uses or gives a token that the vocabulary does not contain */
function checkMerges(merges: readonly string[], vocabulary: ReadonlyMap<string, number>): void {
  for (const merge of merges) {
    const [left, right] = merge.split(' ');
    const missing = [left, right, left + right].find((token) => !vocabulary.has(token));
    if (missing === undefined) continue;
    throw new ArchitectureError(
      `${MERGES} has ${JSON.stringify(merge)}, and ${VOCABULARY} no token ${JSON.stringify(missing)}`,
    );
  }
}

/** The tokens that are matched in a text before it is split, by their ids. */
function addedTokens(
  vocabulary: ReadonlyMap<string, number>,
  added: JsonObject,
  named: JsonObject,
  config: JsonObject,
): AddedToken[] {
  const tokens = new Map<string, AddedToken>();
  let next = Math.max(largest(vocabulary.values()), largest(Object.values(added)));
  const add = (token: unknown, special: boolean, id?: number) => {
    const fields: JsonObject = isRecord(token) ? token : { content: token };
    const { content } = fields;
    if (typeof content !== 'string' || content === '') return;
    const known = tokens.get(content);
    const isSpecial = special || known?.special === true || fields.special === true;
    const flag = (name: 'single_word' | 'lstrip' | 'rstrip') =>
      typeof fields[name] === 'boolean' ? fields[name] : (known?.[name] ?? false);
    const normalized = typeof fields.normalized === 'boolean' ? fields.normalized : known?.normalized;
    tokens.set(content, {
      id: id ?? known?.id ?? vocabulary.get(content) ?? ++next,
      content,
      single_word: flag('single_word'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      normalized: normalized ?? !isSpecial,
      special: isSpecial,
    });
  };
  const decoder = isRecord(config.added_tokens_decoder) ? config.added_tokens_decoder : {};
  for (const [id, token] of Object.entries(decoder)) {
    if (/^\d{1,9}$/.test(id)) add(token, false, Number(id));
  }
  next = Math.max(next, largest([...tokens.values()].map(({ id }) => id)));
  const special = [named, config].flatMap((object) =>
    Object.entries(object).flatMap(([key, token]) => (SPECIAL_KEY.test(key) ? token : [])),
  );
  const contents = new Set(special.map((token) => (isRecord(token) ? token.content : token)));
  for (const [content, id] of Object.entries(added)) add(content, contents.has(content), id as number);
  for (const token of special) add(token, true);
  if (tokens.size === 0 && vocabulary.has(END_OF_TEXT)) add(END_OF_TEXT, true);
  return [...tokens.values()].sort((a, b) => a.id - b.id);
}

/** The largest id; -1 if there is none. */
function largest(ids: Iterable<unknown>): number {
  let most = -1;
  for (const id of ids) if (typeof id === 'number' && id > most) most = id;
  return most;
}

/** A post-processor that prepends the beginning-of-text token, if the configuration asks for it. */
function beginning(config: JsonObject, added: readonly AddedToken[]): object | undefined {
  if (config.add_bos_token !== true) return undefined;
  const content = isRecord(config.bos_token) ? config.bos_token.content : config.bos_token;
  const token =
    added.find((each) => each.content === content) ?? added.find((each) => each.content === END_OF_TEXT);
  if (!token) return undefined;
  const [bos, text] = [
    { SpecialToken: { id: token.content, type_id: 0 } },
    { Sequence: { id: 'A', type_id: 0 } },
  ];
  return {
    type: 'TemplateProcessing',
    single: [bos, text],
    pair: [
      bos,
      text,
      { SpecialToken: { id: token.content, type_id: 1 } },
      { Sequence: { id: 'B', type_id: 1 } },
    ],
    special_tokens: { [token.content]: { id: token.content, ids: [token.id], tokens: [token.content] } },
  };
}
