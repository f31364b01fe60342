/** Files of a HuggingFace folder that a converted model needs in addition to its graph. */

import { isRecord } from '../../plugin/models/checks.js';
import { ArchitectureError } from '../errors.js';
import { type JsonObject, parseJsonObject } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';

/** The largest tokenizer.json of a published model is 33 MB. */
const MAX_BYTES = 2 ** 28;

type Check = (bytes: Uint8Array, file: string) => void;

/**
 * Files that are copied, each with a check of its content. A folder may contain links to files elsewhere on disk, as
 * HuggingFace's cache does; the checks ensure that only such content is copied.
 */
const COPIED: Readonly<Record<string, Check>> = {
  'tokenizer.json': json(
    'a tokenizer (a "model" with a type and a "vocab")',
    ({ model }) => isRecord(model) && (isRecord(model.vocab) || Array.isArray(model.vocab)),
  ),
  'tokenizer_config.json': json(
    'the configuration of a tokenizer',
    hasKey(/token|^do_lower_case$|^model_max_length$/),
  ),
  'special_tokens_map.json': json('special tokens by name', (tokens) =>
    Object.entries(tokens).every(([key, token]) => /_tokens?$/.test(key) && isToken(token)),
  ),
  'added_tokens.json': json('token ids by token', isVocabulary),
  'vocab.json': json('token ids by token', isVocabulary),
  'merges.txt': checkMerges,
  'config.json': json(
    'the configuration of a model',
    hasKey(/^(model_type|d_model|architectures|hidden_size)$/),
  ),
  'generation_config.json': json(
    'the configuration of text generation',
    hasKey(/token|^transformers_version$|^(do_sample|temperature|top_[kp]|max_length|num_beams|use_cache)$/),
  ),
};

function json(what: string, holds: (object: JsonObject) => boolean): Check {
  return (bytes, file) => {
    if (!holds(parseJsonObject(bytes, file))) throw new ArchitectureError(`${file} does not hold ${what}`);
  };
}

function hasKey(pattern: RegExp): (object: JsonObject) => boolean {
  return (object) => Object.keys(object).some((key) => pattern.test(key));
}

function isVocabulary(tokens: JsonObject): boolean {
  return Object.values(tokens).every((id) => Number.isSafeInteger(id));
}

/** Whether a value is a string, an object that describes a token, or a list of these. */
function isToken(token: unknown): boolean {
  if (Array.isArray(token)) return token.every(isToken);
  return (
    token === null || typeof token === 'string' || (isRecord(token) && typeof token.content === 'string')
  );
}

/** Two tokens per line, after comment lines. */
function checkMerges(bytes: Uint8Array, file: string): void {
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  const bad = lines.findIndex((line) => !/^(#.*|\S+ \S+|)$/.test(line));
  if (bad >= 0) {
    throw new ArchitectureError(`${file} does not hold pairs of tokens: line ${bad + 1} is something else`);
  }
}

/** A file that is copied unchanged into the converted model. */
export interface CopiedFile {
  readonly file: string;
  readonly directory: SourceDirectory;
  readonly bytes: Uint8Array;
}

/**
 * Reads and validates the tokenizer and the configuration. If several folders have a file, the first one is used: fine-tuning may
 * have added tokens.
 * @throws {ArchitectureError} if a file has other content, naming it
 */
export async function readCopiedFiles(directories: readonly SourceDirectory[]): Promise<CopiedFile[]> {
  const copied: CopiedFile[] = [];
  for (const [file, check] of Object.entries(COPIED)) {
    for (const directory of directories) {
      const source = await directory.open(file);
      if (!source) continue;
      if (source.size > MAX_BYTES) {
        throw new ArchitectureError(`${file} has ${source.size} bytes; at most ${MAX_BYTES} are copied`);
      }
      const bytes = await source.read(0, source.size);
      check(bytes, `${file} of ${directory.name}`);
      copied.push({ file, directory, bytes });
      break;
    }
  }
  return copied;
}
