/** Encodes RGB pixels as image files. */
import { extname } from 'node:path';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { loadSharp } from './sharp.js';

/** Formats by file extension; PNG if there is none. */
const FORMATS = {
  '': 'png',
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
} as const;

export type ImageFormat = (typeof FORMATS)[keyof typeof FORMATS];

/**
 * Drawings have thin, saturated lines, which JPEG's default quality and chroma subsampling blur. For photographs, PNG's filters
 * save more than the highest compression levels, and take less time.
 */
const OPTIONS = {
  png: { compressionLevel: 3, adaptiveFiltering: true },
  jpeg: { quality: 92, chromaSubsampling: '4:4:4' },
  webp: { lossless: true },
} as const;

/** The format for a file name. Throws a one-line `Error` for an unsupported extension. */
export function imageFormat(file: string): ImageFormat {
  const ending = extname(file).toLowerCase();
  if (ending in FORMATS) return FORMATS[ending as keyof typeof FORMATS];
  const known = Object.keys(FORMATS).filter((name) => name !== '');
  throw new Error(`cannot write "${file}": images are written as ${known.join(', ')}, not as ${ending}`);
}

/** Classes that 8 bits can represent. */
const CLASSES_OF_A_BYTE = 256;

/**
 * A greyscale PNG whose values are the classes of an image's pixels: 8 bits, or 16 for more than 256 classes.
 * @param classMap uint16 [height, width]
 * @param classes of the model
 */
export async function encodeClassMap(
  classMap: Uint16Array,
  { width, height }: { readonly width: number; readonly height: number },
  classes: number,
): Promise<Buffer> {
  const sharp = await loadSharp();
  const isByte = classes <= CLASSES_OF_A_BYTE;
  return sharp(isByte ? new Uint8Array(classMap) : classMap, { raw: { width, height, channels: 1 } })
    .toColourspace(isByte ? 'b-w' : 'grey16')
    .png({ compressionLevel: 9 })
    .toBuffer();
}

/** Encodes the pixels as an image file; the same input gives the same bytes. */
export async function encodeImage(image: RgbImage, format: ImageFormat): Promise<Buffer> {
  const sharp = await loadSharp();
  const { width, height, data } = image;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format, OPTIONS[format])
    .toBuffer();
}
