// One sequential pass over a file: computes its SHA-256 while a reader uses or checks the bytes.

import type { ByteSource } from '../byte_source.js';
import { CheckpointError } from './errors.js';
import { CHUNK_BYTES } from './limits.js';
import { newSha256 } from './sha256.js';

/** Progress and cancellation. */
export interface PassOptions {
  /** Called after each chunk with the bytes done and the total. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads `length` bytes at `offset` of a source.
 * @throws CheckpointError 'truncated' beyond the end, 'read-failed' if the source fails or returns the wrong number of bytes
 */
export async function readBytes(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size)) {
    throw new CheckpointError(
      'truncated',
      `${what} needs ${length} bytes, but the file ends at byte ${source.size}: it is incomplete or damaged`,
      offset,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await source.read(offset, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : 'unknown reason';
    throw new CheckpointError('read-failed', `reading ${what} failed: ${reason}`, offset, cause);
  }
  if (bytes.byteLength !== length) {
    throw new CheckpointError(
      'read-failed',
      `reading ${what} gave ${bytes.byteLength} bytes where ${length} were asked for`,
      offset,
    );
  }
  return bytes;
}

/** Reads a source once, from start to end, in chunks of bounded size. */
export class FilePass {
  /** Offset of the next byte. */
  position = 0;
  private chunk: Uint8Array = new Uint8Array(0);
  private chunkEnd = 0;
  private readonly hash = newSha256();

  constructor(
    private readonly source: ByteSource,
    private readonly options: PassOptions = {},
  ) {}

  /** Returns a copy of the next `length` bytes. Meant for headers: the bytes are held in memory. */
  async take(length: number, what: string): Promise<Uint8Array> {
    const result = new Uint8Array(length);
    let filled = 0;
    await this.drain(length, what, (bytes) => {
      result.set(bytes, filled);
      filled += bytes.byteLength;
    });
    return result;
  }

  /** Passes over the next `length` bytes; `visit` gets them piece by piece and must not keep them. */
  async drain(length: number, what: string, visit?: (bytes: Uint8Array) => void): Promise<void> {
    const end = this.position + length;
    if (end > this.source.size) await readBytes(this.source, this.position, length, what);
    while (this.position < end) {
      if (this.position === this.chunkEnd) await this.nextChunk();
      const from = this.chunk.byteLength - (this.chunkEnd - this.position);
      const piece = this.chunk.subarray(from, from + Math.min(end, this.chunkEnd) - this.position);
      visit?.(piece);
      this.position += piece.byteLength;
    }
  }

  /** Passes over the rest of the file and returns the SHA-256 of all of it, in hexadecimal. */
  async finish(): Promise<string> {
    await this.drain(this.source.size - this.position, 'the rest of the file');
    return this.hash.finish();
  }

  private async nextChunk(): Promise<void> {
    const { signal, onProgress } = this.options;
    if (signal?.aborted) {
      throw new CheckpointError('aborted', 'reading was stopped by the caller', this.position, signal.reason);
    }
    const length = Math.min(CHUNK_BYTES, this.source.size - this.chunkEnd);
    this.chunk = await readBytes(this.source, this.chunkEnd, length, 'the file');
    this.chunkEnd += length;
    this.hash.update(this.chunk);
    onProgress?.(this.chunkEnd, this.source.size);
  }
}
