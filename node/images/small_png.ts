/**
 * Small PNG files to RGB pixels. To hand a digit to the decoder's threads takes more than ten times what reading it takes,
 * so the plainest files are read on the calling thread. Whatever is not plain, damage above all, is the decoder's.
 */
import { decode } from 'fast-png';
import { type RgbImage, rgbBytes } from '../../plugin/image/rgb_image.js';

/** Pixels that are read faster than they are handed over. */
const MOST_PIXELS = 128 * 128;
/** Bytes of a file beside its pixels: what a file of few pixels and many bytes expands to is not known. */
const MOST_BESIDE = 4096;

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Length, type and checksum. */
const CHUNK_BYTES = 12;
const HEADER_BYTES = 13;
/** Bytes a pixel of 8 bits a channel, by the colour types of grey, RGB and RGB with alpha. */
const CHANNELS: Readonly<Record<number, 1 | 3 | 4>> = { 0: 1, 2: 3, 6: 4 };
/** Pixels, and what changes none of them: sizes of print, dates, and profiles of colour, which are ignored. */
const PLAIN = new Set(['IDAT', 'pHYs', 'tIME', 'gAMA', 'cHRM', 'sRGB']);

/**
 * The pixels of a PNG file of up to 16,384 pixels of 8 bits a channel, grey or RGB, not interlaced, with nothing in it that
 * could change them.
 * @returns undefined for any other bytes, damaged files included
 */
export function smallPng(bytes: Uint8Array): RgbImage | undefined {
  const size = plainSize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (!size) return undefined;
  try {
    const { data, channels } = decode(bytes, { checkCrc: true });
    if (data.length !== size.width * size.height * channels) return undefined;
    return { ...size, data: rgbBytes(data as Uint8Array, channels) };
  } catch {
    return undefined;
  }
}

function plainSize(file: Buffer): { readonly width: number; readonly height: number } | undefined {
  const begin = SIGNATURE.length + CHUNK_BYTES + HEADER_BYTES;
  if (file.length < begin || !file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return undefined;
  if (file.readUInt32BE(8) !== HEADER_BYTES || typeAt(file, 8) !== 'IHDR') return undefined;
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colour, compression, filter, interlace] = file.subarray(24);
  const channels = CHANNELS[colour];
  if (channels === undefined || depth !== 8 || compression !== 0 || filter !== 0 || interlace !== 0)
    return undefined;
  const isSmall = width > 0 && height > 0 && width * height <= MOST_PIXELS;
  if (!isSmall || file.length > height * (1 + width * channels) + MOST_BESIDE) return undefined;
  let at = begin;
  while (at + CHUNK_BYTES < file.length && PLAIN.has(typeAt(file, at)))
    at += CHUNK_BYTES + file.readUInt32BE(at);
  const isWhole = at + CHUNK_BYTES === file.length && typeAt(file, at) === 'IEND';
  return isWhole ? { width, height } : undefined;
}

/** Of the chunk that begins there. */
function typeAt(file: Buffer, at: number): string {
  return file.toString('latin1', at + 4, at + 8);
}
