/** The weights of a HuggingFace folder: one file, or several files with an index. */
import { isRecord } from '../../plugin/models/checks.js';
import type { SourceFile } from '../../plugin/models/grootl_metadata.js';
import type { Architecture } from '../architectures/architecture.js';
import { readings } from '../architectures/recognize.js';
import type { ByteSource } from '../byte_source.js';
import { ArchitectureError } from '../errors.js';
import { type Checkpoint, openCheckpoint } from '../pytorch/checkpoint.js';
import { CheckpointError, quote } from '../pytorch/errors.js';
import { FilePass, type PassOptions } from '../pytorch/file_pass.js';
import { type IgnoredEntry, leftOutBeside, type StateDict, stateDicts } from '../pytorch/state_dict.js';
import type { StoredTensor } from '../pytorch/tensor.js';
import { readJsonObject } from './json_file.js';
import type { SourceDirectory } from './source_directory.js';

/** Names of weight files, the safer format first, which is also the order in which transformers looks. */
const SINGLE = ['model.safetensors', 'pytorch_model.bin'] as const;
const INDEXED = ['model.safetensors.index.json', 'pytorch_model.bin.index.json'] as const;

/** More files than any published model has. */
const MAX_SHARDS = 1024;

/** A file in the same folder: the index is untrusted and must not name files elsewhere. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/** Options for reading the weights of a folder. */
export interface StateOptions extends PassOptions {
  /** Keys that lead to the state dict of a file, joined by dots. */
  readonly key?: string;
  /** If a file has several dicts, one that may be such a network is chosen. */
  readonly architecture?: Architecture<unknown>;
}

/** The weights of a model, whose values have not been read. */
export interface FolderState {
  /** By the names in the files. */
  readonly entries: ReadonlyMap<string, StoredTensor>;
  readonly ignored: readonly IgnoredEntry[];
  /** The weight file, or the index of the weight files. */
  readonly source: SourceFile & { readonly shards: readonly SourceFile[] };
  readonly format: string;
  /** Bytes of all weight files. */
  readonly bytes: number;
}

/**
 * Opens the weights of a folder.
 * @throws {ArchitectureError} if there are none or the index does not match them
 * @throws {CheckpointError} if a file cannot be read or is refused, naming the file
 */
export async function openFolderState(
  directory: SourceDirectory,
  options: StateOptions = {},
): Promise<FolderState> {
  for (const file of SINGLE) {
    if (await directory.open(file)) return openSingle(directory, file, options);
  }
  for (const file of INDEXED) {
    const index = await readJsonObject(directory, file);
    if (index) return openShards(directory, file, index.weight_map, options);
  }
  throw new ArchitectureError(
    `${directory.name} has no weights: expected ${[...SINGLE, ...INDEXED].join(', ')}`,
  );
}

/** Opens a single weight file of a folder. @throws as {@link openFolderState} */
export async function openSingle(
  directory: SourceDirectory,
  file: string,
  options: StateOptions = {},
): Promise<FolderState> {
  const source = await openNamed(directory, file);
  try {
    const checkpoint = await openCheckpoint(source, options);
    const dict = chooseDict(checkpoint, options);
    const { format, size: bytes, sha256 } = checkpoint;
    return {
      entries: dict.entries,
      ignored: leftOutBeside(checkpoint, dict),
      source: { file, sha256, shards: [] },
      format,
      bytes,
    };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(error.code, `${file} of ${directory.name}: ${error.message}`, undefined, error);
  }
}

function chooseDict(checkpoint: Checkpoint, { architecture, key }: StateOptions): StateDict {
  const dicts = stateDicts(checkpoint, { key });
  const likely = architecture && dicts.find(({ entries }) => readings(entries, [architecture]).length > 0);
  return likely ?? dicts[0];
}

async function openShards(
  directory: SourceDirectory,
  indexFile: string,
  weightMap: unknown,
  options: StateOptions,
): Promise<FolderState> {
  const locations = isRecord(weightMap) ? Object.entries(weightMap) : [];
  const files = [...new Set(locations.map(([, file]) => file))];
  if (files.length === 0 || files.length > MAX_SHARDS) {
    throw new ArchitectureError(
      `${indexFile} names ${files.length} weight files, expected 1 to ${MAX_SHARDS} under "weight_map"`,
    );
  }
  const states = new Map<unknown, FolderState>();
  for (const file of files) {
    if (typeof file !== 'string' || !FILE_NAME.test(file)) {
      const named = typeof file === 'string' ? quote(file) : 'a value that is not text';
      throw new ArchitectureError(`${indexFile} names ${named}, which is not a file of its folder`);
    }
    states.set(file, await openSingle(directory, file, options));
  }
  const entries = new Map<string, StoredTensor>();
  for (const [name, file] of locations) {
    const tensor = states.get(file)?.entries.get(name);
    if (!tensor) {
      throw new ArchitectureError(`${indexFile} lists ${quote(name)} in ${file}, which has no such tensor`);
    }
    entries.set(name, tensor);
  }
  const shards = [...states.values()];
  return {
    entries,
    ignored: shards.flatMap(({ entries: held, ignored, source }) => [
      ...ignored,
      ...[...held.keys()]
        .filter((name) => !entries.has(name))
        .map((name) => ({ name, reason: `in ${source.file}, not in the index` })),
    ]),
    source: {
      file: indexFile,
      sha256: await new FilePass(await openNamed(directory, indexFile)).finish(),
      shards: shards.map(({ source: { file, sha256 } }) => ({ file, sha256 })),
    },
    format: `${shards[0].format}, ${shards.length} files`,
    bytes: shards.reduce((total, { bytes }) => total + bytes, 0),
  };
}

async function openNamed(directory: SourceDirectory, file: string): Promise<ByteSource> {
  const source = await directory.open(file);
  if (!source) throw new ArchitectureError(`${directory.name} has no file ${file}`);
  return source;
}
