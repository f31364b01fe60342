/** Files of a HuggingFace folder that a converted model needs beside its graph. */

import { ArchitectureError } from '../errors.js';
import type { ModelSink } from '../graph/model_sink.js';
import type { SourceDirectory } from './source_directory.js';

const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'config.json',
  'generation_config.json',
] as const;

/** The largest tokenizer.json of a published model has 33 MB. */
const MAX_BYTES = 2 ** 28;

/**
 * Copies the tokenizer and the configuration. Of several folders the first that has a file gives it: fine-tuning may
 * have added tokens.
 * @returns the names of the files.
 */
export async function copyFiles(directories: readonly SourceDirectory[], sink: ModelSink): Promise<string[]> {
  const copied: string[] = [];
  for (const file of COPIED) {
    for (const directory of directories) {
      const source = await directory.open(file);
      if (!source) continue;
      if (source.size > MAX_BYTES) {
        throw new ArchitectureError(`${file} has ${source.size} bytes; at most ${MAX_BYTES} are copied`);
      }
      await sink.write(file, await source.read(0, source.size));
      copied.push(file);
      break;
    }
  }
  return copied;
}
