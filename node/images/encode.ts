/** RGB pixels to image files. */
import { extname } from 'node:path';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { loadSharp } from './sharp.js';

/** Formats by the ending of a file's name; PNG where there is none. */
const FORMATS = {
  '': 'png',
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
} as const;

export type ImageFormat = (typeof FORMATS)[keyof typeof FORMATS];

/**
 * Drawings have thin lines of strong colour, which JPEG's usual quality and halved colour planes smear. Over photographs,
 * PNG's filters save more than the last levels of compression, and take less time.
 */
const OPTIONS = {
  png: { compressionLevel: 3, adaptiveFiltering: true },
  jpeg: { quality: 92, chromaSubsampling: '4:4:4' },
  webp: { lossless: true },
} as const;

/** The format that a file's name asks for. Throws `Error`, one line, for an ending that is none of them. */
export function imageFormat(file: string): ImageFormat {
  const ending = extname(file).toLowerCase();
  if (ending in FORMATS) return FORMATS[ending as keyof typeof FORMATS];
  const known = Object.keys(FORMATS).filter((name) => name !== '');
  throw new Error(`cannot write ${file}: pictures are written as ${known.join(', ')}, not as ${ending}`);
}

/** Classes that 8 bits tell apart. */
const CLASSES_OF_A_BYTE = 256;

/**
 * A grey PNG whose values are the classes of a picture's pixels: 8 bits, or 16 where there are more than 256 classes.
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

/** An image file of the pixels; the same input gives the same bytes. */
export async function encodeImage(image: RgbImage, format: ImageFormat): Promise<Buffer> {
  const sharp = await loadSharp();
  const { width, height, data } = image;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .toFormat(format, OPTIONS[format])
    .toBuffer();
}
