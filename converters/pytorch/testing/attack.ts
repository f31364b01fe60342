// Shared by the tests of hostile files: creates such files, and checks how they are refused.

import type { Test } from 'tap';
import { bytesSource } from '../../byte_source.js';
import { openCheckpoint } from '../checkpoint.js';
import { CheckpointError, type CheckpointErrorCode } from '../errors.js';
import { Assembler } from './assembler.js';
import { madeTensor, memorySink, torchZipBytes } from './torch_writer.js';
import { type EntryLies, ZipWriter } from './zip_writer.js';

/** Where the data of the first entry begins: the writer aligns it as torch does. */
export const PICKLE_OFFSET = 64;

export const open = (bytes: Uint8Array) => openCheckpoint(bytesSource(bytes, 'attack.pth'));

export async function refused(
  t: Test,
  what: string,
  bytes: Uint8Array,
  code: CheckpointErrorCode,
  message?: RegExp,
  offset?: number,
): Promise<void> {
  try {
    await open(bytes);
    t.fail(`${what}: was accepted`);
  } catch (error) {
    if (!(error instanceof CheckpointError)) {
      t.fail(`${what}: ${error}`);
      return;
    }
    t.equal(error.code, code, `${what}: ${error.message}`);
    if (message !== undefined) t.match(error.message, message, `${what}: message`);
    if (offset !== undefined) t.equal(error.offset, offset, `${what}: offset`);
    t.match(error.message, /^[\x20-\x7e]{10,600}$/, `${what}: one printable line`);
    t.type(error.offset, 'number', `${what}: has an offset`);
  }
}

/** A zip around a raw pickle, with storages of zeros of the given sizes. */
export async function zipOf(pickle: Uint8Array, storages: readonly number[] = []): Promise<Uint8Array> {
  const { sink, bytes } = memorySink();
  const zip = new ZipWriter(sink);
  await zip.add('a/data.pkl', pickle);
  for (const [key, size] of storages.entries()) await zip.add(`a/data/${key}`, new Uint8Array(size));
  await zip.finish();
  return bytes();
}

export type Entry = readonly [name: string, data: Uint8Array, lies?: EntryLies];

export async function zipEntries(...entries: readonly Entry[]): Promise<Uint8Array> {
  const { sink, bytes } = memorySink();
  const zip = new ZipWriter(sink);
  for (const [name, data, lies] of entries) await zip.add(name, data, lies);
  await zip.finish();
  return bytes();
}

export const EMPTY_DICT = new Assembler().op('EMPTY_DICT').stop();
export const honest = (): Promise<Uint8Array> =>
  torchZipBytes(new Map([['weight', madeTensor('float32', [4], new Float32Array([1, 2, 3, 4]))]]));
