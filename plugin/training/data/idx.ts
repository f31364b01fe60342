import { sizeOf } from '../../kernels/sizes.js';
/**
 * Reads idx files, the format of MNIST and Fashion-MNIST, plain or gzip-compressed. They are untrusted: sizes are checked
 * before anything is allocated, and compressed data is decompressed only up to the size in the header.
 *
 * Format: two zero bytes, the type (8: uint8), the rank, the extents (uint32, big-endian), the values.
 */

/** The values of an idx file. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Uint8Array;
}

/** MNIST's training images have 47 MB; this leaves room for larger sets. */
export const MAX_IDX_BYTES = 2 ** 30;

const UINT8 = 8;
const MAX_RANK = 4;
const HEADER_BYTES = 4 + 4 * MAX_RANK;

/**
 * Reads an idx file of uint8 values.
 * @param name of the file, for errors
 * @param bytes of the file; gzip is detected by the first two bytes
 * @throws {Error} one line that names the file: another format or type, extents that do not match its length, more than
 *   MAX_IDX_BYTES of values, damaged gzip data.
 */
export async function readIdx(name: string, bytes: Uint8Array): Promise<IdxArray> {
  const start = await firstBytes(name, bytes, HEADER_BYTES);
  const shape = readShape(name, start);
  const values = sizeOf(shape);
  if (values > MAX_IDX_BYTES) {
    throw new Error(`${name}: sizes ${shape.join(' x ')}, at most ${MAX_IDX_BYTES} values are read`);
  }
  const whole = 4 + 4 * shape.length + values;
  const data = await firstBytes(name, bytes, whole + 1);
  if (data.length !== whole) {
    const found = data.length < whole ? `${data.length}` : 'more';
    throw new Error(`${name}: sizes ${shape.join(' x ')} need ${whole} bytes, the file has ${found}`);
  }
  return { shape, data: data.subarray(whole - values) };
}

function readShape(name: string, start: Uint8Array): number[] {
  const [first, second, type, rank] = start;
  const isIdx = start.length >= 4 && first === 0 && second === 0 && rank >= 1 && rank <= MAX_RANK;
  if (!isIdx || start.length < 4 + 4 * rank) {
    throw new Error(
      `${name}: not an idx file, such as train-images-idx3-ubyte or train-labels-idx1-ubyte.gz`,
    );
  }
  if (type !== UINT8) throw new Error(`${name}: values of type ${type}, expected ${UINT8} (unsigned bytes)`);
  const view = new DataView(start.buffer, start.byteOffset);
  return Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
}

/** Returns the first `most` bytes of a file's decompressed content, or all if there are fewer. */
async function firstBytes(name: string, bytes: Uint8Array, most: number): Promise<Uint8Array> {
  const isCompressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isCompressed) return bytes.subarray(0, most);
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const reader = stream.pipeThrough(new DecompressionStream('gzip')).getReader();
  const content = new Uint8Array(most);
  let length = 0;
  try {
    while (length < most) {
      const { done, value } = await reader.read();
      if (done) break;
      content.set(value.subarray(0, most - length), length);
      length += Math.min(value.length, most - length);
    }
  } catch (error) {
    throw new Error(`${name}: damaged or truncated gzip data (${(error as Error).message})`);
  } finally {
    await reader.cancel().catch(() => {});
  }
  return content.subarray(0, length);
}
