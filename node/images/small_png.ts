/**
 * Decodes small PNG files to RGB pixels. Handing a digit to sharp's threads takes more than ten times as long as decoding it, so
 * the plainest files are decoded on the calling thread. All others, in particular damaged ones, are left to sharp.
 */
import { inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { type RgbImage, rgbBytes } from '../../plugin/image/rgb_image.js';

/** Maximum pixels that are decoded faster than they are handed over. */
const MOST_PIXELS = 128 * 128;
/** Maximum bytes of a file in addition to its pixels: what a file of few pixels and many bytes expands to is unknown. */
const MOST_BESIDE = 4096;

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Length, type and checksum. */
const CHUNK_BYTES = 12;
const HEADER_BYTES = 13;
/** Bytes per pixel at 8 bits per channel, by the colour types of grey, RGB and RGB with alpha. */
const CHANNELS: Readonly<Record<number, 1 | 3 | 4>> = { 0: 1, 2: 3, 6: 4 };
/** Pixels, and chunks that do not change them: print sizes, dates, and colour profiles, which are ignored. */
const PLAIN = new Set(['IDAT', 'pHYs', 'tIME', 'gAMA', 'cHRM', 'sRGB']);

/**
 * The pixels of a PNG file of up to 16,384 pixels, 8 bits per channel, grey or RGB, not interlaced, without chunks that could
 * change them.
 * @returns undefined for any other bytes, including damaged files
 */
export function smallPng(bytes: Uint8Array): RgbImage | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows = plainRows(file);
  if (!rows) return undefined;
  try {
    // pngjs fills missing rows with black.
    if (inflateSync(rows.packed, { maxOutputLength: rows.bytes + 1 }).length !== rows.bytes) return undefined;
    const { width, height, data } = PNG.sync.read(file);
    return { width, height, data: rgbBytes(data, 4) };
  } catch {
    return undefined;
  }
}

/** The rows of a plain file as stored, and their size in bytes. */
function plainRows(file: Buffer): { readonly packed: Buffer; readonly bytes: number } | undefined {
  const begin = SIGNATURE.length + CHUNK_BYTES + HEADER_BYTES;
  if (file.length < begin || !file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return undefined;
  if (file.readUInt32BE(8) !== HEADER_BYTES || typeAt(file, 8) !== 'IHDR') return undefined;
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colour, compression, filter, interlace] = file.subarray(24);
  const channels = CHANNELS[colour];
  if (channels === undefined || depth !== 8 || compression !== 0 || filter !== 0 || interlace !== 0)
    return undefined;
  const isSmall = width > 0 && height > 0 && width * height <= MOST_PIXELS;
  const bytes = height * (1 + width * channels);
  if (!isSmall || file.length > bytes + MOST_BESIDE) return undefined;
  const packed: Buffer[] = [];
  let at = begin;
  while (at + CHUNK_BYTES < file.length && PLAIN.has(typeAt(file, at))) {
    const end = at + CHUNK_BYTES + file.readUInt32BE(at);
    if (typeAt(file, at) === 'IDAT') packed.push(file.subarray(at + 8, end - 4));
    at = end;
  }
  const isWhole = at + CHUNK_BYTES === file.length && typeAt(file, at) === 'IEND';
  return isWhole ? { packed: Buffer.concat(packed), bytes } : undefined;
}

/** Type of the chunk that begins there. */
function typeAt(file: Buffer, at: number): string {
  return file.toString('latin1', at + 4, at + 8);
}
