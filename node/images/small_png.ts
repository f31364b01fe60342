/**
 * Small PNG files to RGB pixels. To hand a digit to the decoder's threads takes more than ten times what reading it takes,
 * so the plainest files are read on the calling thread. Whatever is not plain, damage above all, is the decoder's.
 */
import { inflateSync } from 'node:zlib';
import { crc32 } from '../../converters/pytorch/crc32.js';
import { type RgbImage, rgbBytes } from '../../plugin/image/rgb_image.js';

/** Pixels that are read faster than they are handed over. */
const MOST_PIXELS = 128 * 128;

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Length, type and checksum. */
const CHUNK_BYTES = 12;
const HEADER_BYTES = 13;
/** Bytes a pixel of 8 bits a channel, by the colour types of grey, RGB and RGB with alpha. */
const CHANNELS: Readonly<Record<number, 1 | 3 | 4>> = { 0: 1, 2: 3, 6: 4 };
/** What changes no pixel: sizes of print, dates, and profiles of colour, which are ignored. */
const IGNORED = new Set(['pHYs', 'tIME', 'gAMA', 'cHRM', 'sRGB']);

/**
 * The pixels of a PNG file of up to 16,384 pixels of 8 bits a channel, grey or RGB, not interlaced, with nothing in it that
 * could change them.
 * @returns undefined for any other bytes, damaged files included
 */
export function smallPng(bytes: Uint8Array): RgbImage | undefined {
  const parts = partsOf(bytes);
  if (!parts) return undefined;
  const { width, height, channels, packed } = parts;
  const size = height * (1 + width * channels);
  let rows: Buffer;
  try {
    rows = inflateSync(packed, { maxOutputLength: size + 1 });
  } catch {
    return undefined;
  }
  if (rows.length !== size) return undefined;
  const data = unfiltered(rows, width, height, channels);
  return data && { width, height, data: channels === 3 ? data : rgbBytes(data, channels) };
}

interface Parts {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** A zlib stream. */
  readonly packed: Uint8Array;
}

function partsOf(bytes: Uint8Array): Parts | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return undefined;
  let header: Omit<Parts, 'packed'> | undefined;
  const packed: Buffer[] = [];
  for (let at = SIGNATURE.length; at + CHUNK_BYTES <= file.length; ) {
    const length = file.readUInt32BE(at);
    const end = at + CHUNK_BYTES + length;
    if (end > file.length) return undefined;
    const type = file.toString('latin1', at + 4, at + 8);
    const data = file.subarray(at + 8, end - 4);
    if (crc32(file.subarray(at + 4, end - 4)) !== file.readUInt32BE(end - 4)) return undefined;
    if (!header) {
      header = type === 'IHDR' ? headerOf(data) : undefined;
      if (!header) return undefined;
    } else if (type === 'IDAT') packed.push(data);
    else if (type === 'IEND') {
      const isWhole = length === 0 && end === file.length && packed.length > 0;
      return isWhole
        ? { ...header, packed: packed.length > 1 ? Buffer.concat(packed) : packed[0] }
        : undefined;
    } else if (!IGNORED.has(type)) return undefined;
    at = end;
  }
  return undefined;
}

function headerOf(data: Buffer): Omit<Parts, 'packed'> | undefined {
  if (data.length !== HEADER_BYTES) return undefined;
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
  const [depth, colour, compression, filter, interlace] = data.subarray(8);
  const channels = CHANNELS[colour];
  const isPlain = depth === 8 && compression === 0 && filter === 0 && interlace === 0;
  const isSmall = width > 0 && height > 0 && width * height <= MOST_PIXELS;
  return isPlain && isSmall && channels !== undefined ? { width, height, channels } : undefined;
}

/**
 * Pixels of rows, each of which begins with the number of its filter: none, or the difference from the byte of the pixel to
 * the left, from the one above, from the mean of both, from the nearest to left + above - upper left.
 * @returns undefined where there is no such filter
 */
function unfiltered(
  rows: Uint8Array,
  width: number,
  height: number,
  channels: number,
): Uint8Array | undefined {
  const length = width * channels;
  const data = new Uint8Array(height * length);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (length + 1)];
    if (filter > 4) return undefined;
    const from = y * (length + 1) + 1;
    const to = y * length;
    for (let x = 0; x < length; x++) {
      const left = x < channels ? 0 : data[to + x - channels];
      const above = y === 0 ? 0 : data[to + x - length];
      const corner = x < channels || y === 0 ? 0 : data[to + x - length - channels];
      data[to + x] = rows[from + x] + predicted(filter, left, above, corner);
    }
  }
  return data;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return (left + above) >> 1;
  }
  const [byLeft, byAbove] = [Math.abs(above - corner), Math.abs(left - corner)];
  const byCorner = Math.abs(left + above - 2 * corner);
  if (byLeft <= byAbove && byLeft <= byCorner) return left;
  return byAbove <= byCorner ? above : corner;
}
