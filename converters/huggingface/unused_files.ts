/** Lists the files in a folder that the model does not use, so that a report omits nothing. */
import type { IgnoredEntry } from '../pytorch/state_dict.js';
import { ADAPTER_CONFIG, ADAPTER_FILES, TRAINED_FILE } from './lora.js';
import type { SourceDirectory } from './source_directory.js';

/** Number of files to list; the rest are counted. */
const LISTED = 100;

const WEIGHTS = /\.(safetensors|bin|pth?|ckpt|gguf|h5|msgpack)(\.index\.json)?$/;

function describe(name: string): string {
  if (name.endsWith('/')) return 'a sub-folder, not looked into';
  if (name === ADAPTER_CONFIG || ADAPTER_FILES.includes(name)) {
    return 'of an adapter, which is merged only when its folder is given as one';
  }
  if (name === TRAINED_FILE)
    return 'trained beside an adapter, used only when the folder of the adapter is given';
  return WEIGHTS.test(name) ? 'other weights, not used' : 'a file that the model does not need';
}

/** One entry for each file and sub-folder that is not among the used ones. */
export async function unusedFiles(
  directory: SourceDirectory,
  used: ReadonlySet<string>,
): Promise<IgnoredEntry[]> {
  const unused = ((await directory.list?.()) ?? []).filter((name) => !used.has(name)).sort();
  const rows = unused.slice(0, LISTED).map((name) => ({ name, reason: describe(name) }));
  const more = unused.length - rows.length;
  return more > 0 ? [...rows, { name: directory.name, reason: `${more} more files, not used` }] : rows;
}
