/**
 * Decodes small PNG files to RGB pixels. Handing a digit to sharp's threads takes more than ten times as long as decoding it, so
 * the plainest files are decoded on the calling thread. All others, in particular damaged ones, are left to sharp.
 *
 * This does not use a library: JavaScript decoders create dozens of objects per image. Collecting them, and recompiling the
 * functions whose optimised code V8 discards at each collection, takes several times as long as the pixels.
 */
import { crc32, inflateSync } from 'node:zlib';
import { type RgbImage, rgbBytes } from '../../plugin/image/rgb_image.js';

/** Maximum pixels that are decoded faster than they are handed over. */
const MOST_PIXELS = 128 * 128;

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Length, type and checksum. */
const CHUNK_BYTES = 12;
const HEADER_BYTES = 13;
/** Bytes per pixel at 8 bits per channel, by the colour types of grey, RGB and RGB with alpha. */
const CHANNELS: Readonly<Record<number, 1 | 3 | 4>> = { 0: 1, 2: 3, 6: 4 };
/** Pixels, and chunks that do not change them: print sizes, dates, and colour profiles, which are ignored. */
const PLAIN = new Set(['IDAT', 'pHYs', 'tIME', 'gAMA', 'cHRM', 'sRGB']);
/** Minimum `chunkSize` of zlib. */
const LEAST_PIECE = 64;

/**
 * The pixels of a PNG file of up to 16,384 pixels, 8 bits per channel, grey or RGB, not interlaced, without chunks that could
 * change them.
 * @returns undefined for any other bytes, including damaged files
 */
export function smallPng(bytes: Uint8Array): RgbImage | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packed = packedPixels(file);
  if (!packed) return undefined;
  const { width, height, channels } = packed;
  const size = height * (1 + width * channels);
  let rows: Buffer;
  try {
    // One byte more, to detect data after the rows.
    rows = inflateSync(packed.data, {
      maxOutputLength: size + 1,
      chunkSize: Math.max(size + 1, LEAST_PIECE),
    });
  } catch {
    return undefined;
  }
  const pixels = rows.length === size ? unfiltered(rows, packed) : undefined;
  return pixels && { width, height, data: channels === 3 ? pixels : rgbBytes(pixels, channels) };
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

interface PackedPixels extends Header {
  /** Filtered rows, compressed by zlib. */
  readonly data: Buffer;
}

/** Header and data of a file, if it is plain and complete. */
function packedPixels(file: Buffer): PackedPixels | undefined {
  const header = headerOf(file);
  if (!header) return undefined;
  const parts: Buffer[] = [];
  let at = SIGNATURE.length + CHUNK_BYTES + HEADER_BYTES;
  for (; at + CHUNK_BYTES < file.length && PLAIN.has(typeAt(file, at)); at = endOf(file, at)) {
    if (!isSound(file, at)) return undefined;
    if (typeAt(file, at) === 'IDAT') parts.push(file.subarray(at + 8, endOf(file, at) - 4));
  }
  const isWhole = at + CHUNK_BYTES === file.length && typeAt(file, at) === 'IEND' && isSound(file, at);
  return isWhole ? { ...header, data: parts.length === 1 ? parts[0] : Buffer.concat(parts) } : undefined;
}

function headerOf(file: Buffer): Header | undefined {
  const at = SIGNATURE.length;
  if (file.length < at + CHUNK_BYTES + HEADER_BYTES || !file.subarray(0, at).equals(SIGNATURE))
    return undefined;
  if (typeAt(file, at) !== 'IHDR' || endOf(file, at) !== at + CHUNK_BYTES + HEADER_BYTES) return undefined;
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colour, compression, filter, interlace] = file.subarray(24);
  const channels = CHANNELS[colour];
  const isPlain = depth === 8 && compression === 0 && filter === 0 && interlace === 0 && isSound(file, at);
  const isSmall = width > 0 && height > 0 && width * height <= MOST_PIXELS;
  return isPlain && isSmall && channels !== undefined ? { width, height, channels } : undefined;
}

/** Type of the chunk that begins there. */
function typeAt(file: Buffer, at: number): string {
  return file.toString('latin1', at + 4, at + 8);
}

/** End of the chunk that begins there. */
function endOf(file: Buffer, at: number): number {
  return at + CHUNK_BYTES + file.readUInt32BE(at);
}

/** Whether the chunk that begins there is complete and has the right checksum. */
function isSound(file: Buffer, at: number): boolean {
  const end = endOf(file, at);
  return end <= file.length && crc32(file.subarray(at + 4, end - 4)) === file.readUInt32BE(end - 4);
}

/**
 * Reverses the filters of rows. Each row begins with the number of its filter: 0 keeps the bytes, the others subtract the byte of
 * the pixel to the left (1), the one above (2), the mean of both (3), or the one closest to left + above - upper left (4).
 * @returns undefined for an unknown filter
 */
function unfiltered(rows: Buffer, { width, height, channels }: Header): Uint8Array | undefined {
  const length = width * channels;
  const bytes = new Uint8Array(height * length);
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    const filter = rows[from++];
    if (filter > 4) return undefined;
    for (let x = 0; x < length; x++, from++, to++) {
      const left = x < channels ? 0 : bytes[to - channels];
      const above = y === 0 ? 0 : bytes[to - length];
      const corner = x < channels || y === 0 ? 0 : bytes[to - length - channels];
      bytes[to] = rows[from] + predicted(filter, left, above, corner);
    }
  }
  return bytes;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const [byLeft, byAbove] = [Math.abs(above - corner), Math.abs(left - corner)];
  const byCorner = Math.abs(left + above - 2 * corner);
  if (byLeft <= byAbove && byLeft <= byCorner) return left;
  return byAbove <= byCorner ? above : corner;
}
