// Reads strided values of a file into row-major order, one bounded window at a time.

import type { ByteSource } from '../byte_source.js';
import { readBytes } from './file_pass.js';
import { GATHER_BYTES } from './limits.js';

/** One dimension of a tensor: its size, and its strides in the storage and in the result (in values). */
export interface Dimension {
  readonly size: number;
  readonly source: number;
  readonly target: number;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

function wordsOf(buffer: ArrayBufferLike, offset: number, length: number, itemBytes: number): Words {
  switch (itemBytes) {
    case 1:
      return new Uint8Array(buffer, offset, length);
    case 2:
      return new Uint16Array(buffer, offset, length);
    case 4:
      return new Uint32Array(buffer, offset, length);
    default:
      return new BigUint64Array(buffer, offset, length);
  }
}

/** Removes dimensions of size 1 and merges those that are contiguous on both sides. */
function coalesce(dimensions: readonly Dimension[]): Dimension[] {
  const result: Dimension[] = [];
  for (const dimension of dimensions) {
    if (dimension.size === 1) continue;
    const outer = result.at(-1);
    const inner = dimension.size;
    if (outer?.source === dimension.source * inner && outer.target === dimension.target * inner) {
      result[result.length - 1] = { ...dimension, size: outer.size * inner };
    } else {
      result.push(dimension);
    }
  }
  return result;
}

/** Copies a block whose source values are in `words`, the first of them at index 0. */
function scatter(words: Words, result: Words, start: number, dimensions: readonly Dimension[]): void {
  const inner = dimensions.at(-1) ?? { size: 1, source: 1, target: 1 };
  const outer = dimensions.slice(0, -1);
  const index = outer.map(() => 0);
  let from = 0;
  let to = start;
  for (;;) {
    for (let i = 0, f = from, t = to; i < inner.size; i++, f += inner.source, t += inner.target) {
      result[t] = words[f];
    }
    let d = outer.length - 1;
    for (; d >= 0; d--) {
      from += outer[d].source;
      to += outer[d].target;
      if (++index[d] < outer[d].size) break;
      from -= outer[d].source * outer[d].size;
      to -= outer[d].target * outer[d].size;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/**
 * Fills `buffer` with the values of `dimensions`, starting at value `offset` of the storage at byte `fileOffset`. A block that
 * spans more than GATHER_BYTES is halved along its widest stride until it does not.
 */
export async function gather(
  source: ByteSource,
  fileOffset: number,
  offset: number,
  dimensions: readonly Dimension[],
  itemBytes: number,
  buffer: ArrayBuffer,
): Promise<void> {
  if (dimensions.some(({ size }) => size === 0)) return;
  const result = wordsOf(buffer, 0, buffer.byteLength / itemBytes, itemBytes);
  const resultBytes = new Uint8Array(buffer);

  async function block(from: number, to: number, whole: readonly Dimension[]): Promise<void> {
    const dims = coalesce(whole);
    const extent = dims.reduce((sum, { size, source: stride }) => sum + (size - 1) * stride, 1);
    const bytes = extent * itemBytes;
    if (bytes > GATHER_BYTES) {
      const widest = dims.reduce((best, { source: stride }, i) => (stride > dims[best].source ? i : best), 0);
      const { size, source: stride, target } = dims[widest];
      const half = size >> 1;
      const sized = (steps: number): Dimension[] =>
        dims.map((d, i) => (i === widest ? { ...d, size: steps } : d));
      await block(from, to, sized(half));
      await block(from + half * stride, to + half * target, sized(size - half));
      return;
    }
    const piece = await readBytes(source, fileOffset + from * itemBytes, bytes, "a tensor's values");
    const only = dims.length === 1 ? dims[0] : undefined;
    if (dims.length === 0 || (only?.source === 1 && only.target === 1)) {
      resultBytes.set(piece, to * itemBytes);
      return;
    }
    const aligned = piece.byteOffset % itemBytes === 0 ? piece : piece.slice();
    scatter(wordsOf(aligned.buffer, aligned.byteOffset, extent, itemBytes), result, to, dims);
  }
  await block(offset, 0, dimensions);
}
