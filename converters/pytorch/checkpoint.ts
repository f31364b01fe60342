// The entry point of the readers: opens any checkpoint file and validates it.

import type { ByteSource } from '../byte_source.js';
import {
  type Container,
  describeInert,
  detectContainer,
  type IgnoredEntry,
  type OpenedContainer,
} from './container.js';
import type { PassOptions } from './file_pass.js';
import { openLegacyCheckpoint } from './legacy.js';
import type { PickleValue } from './pickle_values.js';
import { openSafetensors } from './safetensors.js';
import { openZipCheckpoint } from './torch_zip_checkpoint.js';

/** A checkpoint whose structure has been read and validated; tensor values are read on request. */
export interface Checkpoint {
  /** Name of the file. */
  readonly name: string;
  readonly format: Container | 'folder';
  /** Size in bytes. */
  readonly size: number;
  /** SHA-256 of the whole file, in hexadecimal. */
  readonly sha256: string;
  /** The saved object; for safetensors a dict of tensors by name. */
  readonly root: PickleValue;
  /**
   * Unknown Python names, none of which is looked up or called, with the number of objects that were kept as data:
   * `yacs.config.CfgNode (10)`. Printable.
   */
  readonly inertGlobals: readonly string[];
  /** Parts of the file that were not used or not checked: bytes after its end, missing checksums. */
  readonly ignored: readonly IgnoredEntry[];
  /** Metadata of the container (`version`, ...), or the `__metadata__` of a safetensors file. */
  readonly metadata: ReadonlyMap<string, string>;
}

const OPENERS: Readonly<
  Record<Container, (source: ByteSource, options: PassOptions) => Promise<OpenedContainer>>
> = {
  zip: openZipCheckpoint,
  legacy: openLegacyCheckpoint,
  safetensors: openSafetensors,
};

/**
 * Opens a checkpoint: detects the container by content, reads the file once from start to end for its SHA-256 and (zip) its
 * checksums, and reads its object structure. Nothing in the file is executed. Memory: the structure and a few MiB, whatever the
 * size of the file.
 * @param options `onProgress` gets the bytes done and the total; `signal` aborts the reading
 * @throws CheckpointError for every failure; its `code` says which
 */
export async function openCheckpoint(source: ByteSource, options: PassOptions = {}): Promise<Checkpoint> {
  const format = await detectContainer(source);
  const { value: root, inert, ...opened } = await OPENERS[format](source, options);
  const inertGlobals = describeInert(inert);
  return { name: source.name, format, size: source.size, root, inertGlobals, ...opened };
}
