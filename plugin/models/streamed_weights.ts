/** Streamed weights: each becomes a tensor as soon as its bytes arrive, so that they are never all in JavaScript memory. */
import { dispose, io, type NamedTensorMap } from '@tensorflow/tfjs-core';
import { sizeOf } from '../kernels/sizes.js';
import { storedBytes } from './model_json.js';

/** Bytes before every string: its length. */
const TEXT_LENGTH = 4;

/**
 * Reads weights in the order of their specifications. tfjs's own reader copies everything received so far with every piece
 * of a weight, and leaks tensors if the stream breaks off.
 * @param origin names the model in errors
 * @throws {Error} if the stream has fewer or more bytes than the weights take; the error of the stream if it breaks off; the
 *   signal's reason if it is aborted. No tensor is leaked.
 */
export async function streamedWeights(
  origin: string,
  stream: ReadableStream<ArrayBuffer>,
  specs: readonly io.WeightsManifestEntry[],
  signal?: AbortSignal,
): Promise<NamedTensorMap> {
  const bytes = new StreamedBytes(origin, stream);
  const tensors: NamedTensorMap = {};
  try {
    for (const spec of specs) {
      signal?.throwIfAborted();
      const data = await (spec.dtype === 'string'
        ? textsOf(bytes, spec)
        : bytes.take(storedBytes(origin, spec)));
      Object.assign(tensors, io.decodeWeights(data, [spec]));
    }
    await bytes.end();
    return tensors;
  } catch (error) {
    dispose(tensors);
    await bytes.cancel(error);
    throw error;
  }
}

async function textsOf(bytes: StreamedBytes, { shape }: io.WeightsManifestEntry): Promise<ArrayBuffer> {
  const parts: ArrayBuffer[] = [];
  for (let left = sizeOf(shape); left > 0; left--) {
    const length = await bytes.take(TEXT_LENGTH);
    parts.push(length, await bytes.take(new DataView(length).getUint32(0, true)));
  }
  return new Blob(parts).arrayBuffer();
}

/** Reads the bytes of a stream in pieces of any length. */
class StreamedBytes {
  private readonly reader: ReadableStreamDefaultReader<ArrayBuffer>;
  /** Bytes received but not yet taken. */
  private rest = new Uint8Array();
  private taken = 0;

  constructor(
    private readonly origin: string,
    stream: ReadableStream<ArrayBuffer>,
  ) {
    this.reader = stream.getReader();
  }

  /** @throws {Error} if there are fewer bytes. */
  async take(length: number): Promise<ArrayBuffer> {
    // A length read from a file is trusted only as far as bytes arrive.
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.rest.length === 0 && !(await this.read())) {
        throw new Error(
          `${this.origin}: the weights end after ${this.taken} bytes, where ${missing} more are declared`,
        );
      }
      const part = this.rest.subarray(0, missing);
      this.rest = this.rest.subarray(part.length);
      this.taken += part.length;
      missing -= part.length;
      parts.push(part);
    }
    return joined(parts, length);
  }

  /** @throws {Error} if there are more bytes. */
  async end(): Promise<void> {
    while (this.rest.length === 0) if (!(await this.read())) return;
    throw new Error(`${this.origin}: the manifest declares ${this.taken} bytes of weights, there are more`);
  }

  /** Tells the stream that no more will be read. */
  async cancel(reason: unknown): Promise<void> {
    await this.reader.cancel(reason).catch(() => {}); // a stream that broke off needs no cancelling
  }

  private async read(): Promise<boolean> {
    const { done, value } = await this.reader.read();
    if (value) this.rest = new Uint8Array(value);
    return !done;
  }
}

/**
 * Joins pieces; a single piece that fills its buffer is not copied.
 * @param length total length of the pieces
 */
export function joined(parts: readonly Uint8Array[], length: number): ArrayBuffer {
  const [first] = parts;
  if (parts.length === 1 && first.buffer instanceof ArrayBuffer && first.length === first.buffer.byteLength) {
    return first.buffer;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.buffer;
}
