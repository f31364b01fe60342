// Checkpoints made to order, in the two layouts of torch.save: for tests of the readers and of whatever reads models.
//
//   const weight = madeTensor('float32', [2, 3], new Float32Array(6));
//   const state = new MadeOrderedDict(new Map([['module.fc.weight', weight]]));
//   const bytes = await torchZipBytes(new Map<Picklable, Picklable>([['model', state], ['epoch', 3]]));
//
// `writeTorchZip` streams to a sink, and a storage's `bytes` may be a function that yields pieces, so a full-size file
// needs no more memory than a piece.

import { ITEM_BYTES } from '../dtype.js';
import { ByteBuilder } from './assembler.js';
import { type Picklable, Pickler } from './pickler.js';
import { type Sink, ZipWriter } from './zip_writer.js';

export * from './pickler.js';
export type { Sink } from './zip_writer.js';

export interface TorchZipOptions {
  /** Name of the folder inside; torch uses the file's name without extension; 'archive' by default. */
  readonly archiveName?: string;
  /** Content of the `byteorder` entry, which torch 2 writes; none by default. */
  readonly byteOrder?: string;
  /** Pickle protocol; 2 by default, as torch's. */
  readonly protocol?: number;
  /** 'always' also gives small files the zip64 fields of large ones. */
  readonly zip64?: 'needed' | 'always';
}

/** Writes `root` as torch.save would (torch 1.6 and later). */
export async function writeTorchZip(
  root: Picklable,
  sink: Sink,
  options: TorchZipOptions = {},
): Promise<void> {
  const folder = options.archiveName ?? 'archive';
  const pickler = new Pickler({ protocol: options.protocol });
  const pickle = pickler.pickle(root);
  const zip = new ZipWriter(sink, options.zip64);
  await zip.add(`${folder}/data.pkl`, pickle);
  if (options.byteOrder !== undefined) {
    await zip.add(`${folder}/byteorder`, new TextEncoder().encode(options.byteOrder));
  }
  for (const [storage, key] of pickler.storages) {
    const { bytes, dtype, elements } = storage;
    const data = bytes instanceof Uint8Array ? bytes : { size: elements * ITEM_BYTES[dtype], pieces: bytes };
    await zip.add(`${folder}/data/${key}`, data);
  }
  await zip.add(`${folder}/version`, new TextEncoder().encode('3\n'));
  await zip.finish();
}

/** A sink that keeps all bytes in memory. */
export function memorySink(): { readonly sink: Sink; readonly bytes: () => Uint8Array } {
  const builder = new ByteBuilder();
  return {
    sink: (bytes) => {
      builder.raw(bytes);
    },
    bytes: () => builder.build(),
  };
}

/** `writeTorchZip` in memory. */
export async function torchZipBytes(root: Picklable, options: TorchZipOptions = {}): Promise<Uint8Array> {
  const { sink, bytes } = memorySink();
  await writeTorchZip(root, sink, options);
  return bytes();
}

/** `root` as torch.save wrote it before its zip format. */
export function torchLegacyBytes(
  root: Picklable,
  options: { readonly littleEndian?: boolean; readonly protocol?: number } = {},
): Uint8Array {
  const pickler = new Pickler({ legacy: true, protocol: options.protocol }, (index) =>
    String(94_000_000_000_000 + 64 * index),
  );
  const object = pickler.pickle(root);
  const machine = new Map<Picklable, Picklable>([
    ['protocol_version', 1001],
    ['little_endian', options.littleEndian ?? true],
    ['type_sizes', new Map<Picklable, Picklable>([['short', 2]])],
  ]);
  const file = new ByteBuilder();
  for (const value of [0x1950a86a20f9469cfc6cn, 1001, machine]) file.raw(new Pickler().pickle(value));
  file.raw(object).raw(new Pickler().pickle([...pickler.storages.values()]));
  for (const storage of pickler.storages.keys()) {
    file.uint64(storage.elements);
    for (const piece of storage.bytes instanceof Uint8Array ? [storage.bytes] : storage.bytes())
      file.raw(piece);
  }
  return file.build();
}

/** A dict with string keys. */
export function madeDict(entries: Readonly<Record<string, Picklable>>): Map<Picklable, Picklable> {
  return new Map(Object.entries(entries));
}
