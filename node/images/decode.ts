/**
 * Image files to RGB pixels, as PIL's `Image.open(file).convert('RGB')`: the stored orientation is ignored,
 * alpha is dropped (not blended), embedded colour profiles are ignored, an animation gives its first frame.
 * Greyscale, palette, 16-bit and CMYK pictures become 8-bit sRGB (CMYK by the decoder's default ink profile, where PIL only subtracts).
 */
import { readFile, stat } from 'node:fs/promises';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { loadSharp } from './sharp.js';

/** More than any camera takes, and 300 MB of RGB: a small file cannot ask for much more memory than that. */
export const MAX_INPUT_PIXELS = 100_000_000;

/** No picture within MAX_INPUT_PIXELS needs more, even uncompressed with 16 bits and alpha. */
export const MAX_FILE_BYTES = 1 << 30;

/** Pixel formats only: SVG and PDF are programs to be drawn, not pictures. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'avif']);

/**
 * Decodes a JPEG, PNG, WebP, GIF, TIFF or AVIF file.
 *
 * Throws `Error`, one line that names the file, when it is missing, a directory, empty, too large, not an
 * image, or damaged.
 */
export async function decodeImage(file: string): Promise<RgbImage> {
  const bytes = await readImageFile(file);
  const sharp = await loadSharp();
  try {
    // From memory, not by name: the decoder would choose by file ending and may remember an older file.
    const source = sharp(bytes, {
      limitInputPixels: MAX_INPUT_PIXELS,
      failOn: 'error',
      ignoreIcc: true,
      pages: 1,
    });
    const { format } = await source.metadata();
    if (!FORMATS.has(format)) throw new UnsupportedImage(`${format} is not supported`);
    const { data, info } = await source
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: toRgb(data, info.channels) };
  } catch (error) {
    throw new Error(`cannot read image ${file}: ${reason(error)}`);
  }
}

async function readImageFile(file: string): Promise<Buffer> {
  const status = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`cannot read image ${file}: ${error.code === 'ENOENT' ? 'no such file' : error.message}`);
  });
  if (status.isDirectory()) throw new Error(`cannot read image ${file}: it is a directory`);
  if (!status.isFile()) throw new Error(`cannot read image ${file}: it is not a regular file`);
  if (status.size === 0) throw new Error(`cannot read image ${file}: the file is empty`);
  if (status.size > MAX_FILE_BYTES) {
    throw new Error(`cannot read image ${file}: ${status.size} bytes, at most ${MAX_FILE_BYTES} are read`);
  }
  return readFile(file);
}

function toRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (channels !== 1) throw new UnsupportedImage(`${channels} channels are not RGB`);
  const rgb = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) rgb.fill(data[i], 3 * i, 3 * i + 3);
  return rgb;
}

class UnsupportedImage extends Error {}

/** What went wrong, in one plain line. */
function reason(error: unknown): string {
  if (error instanceof UnsupportedImage) return error.message;
  const message = error instanceof Error ? error.message.replace(/\s+/g, ' ').trim() : String(error);
  if (message.includes('unsupported image format')) return 'not an image in a known format';
  if (message.includes('exceeds pixel limit')) return `more than ${MAX_INPUT_PIXELS} pixels`;
  return `damaged or truncated (${message})`;
}
