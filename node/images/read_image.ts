/**
 * Decodes image files to RGB pixels, as PIL's `ImageOps.exif_transpose(Image.open(file)).convert('RGB')`: the EXIF orientation is
 * applied, as in a page; alpha is dropped (not blended), embedded colour profiles are ignored, an animation gives its first
 * frame. Greyscale, palette, 16-bit and CMYK images become 8-bit sRGB (CMYK by the decoder's default ink profile, where PIL only
 * subtracts).
 */
import { fileURLToPath } from 'node:url';
import { type EncodedImage, type ReadOptions, sourceName } from '../../plugin/image/read.js';
import { MAX_INPUT_PIXELS, type RgbImage, rgbBytes } from '../../plugin/image/rgb_image.js';
import { download } from './download.js';
import { checkSize, fileBytes, UnreadableImage } from './file_bytes.js';
import { decoderReason, loadSharp } from './sharp.js';
import { smallPng } from './small_png.js';

/** Raster formats only: SVG and PDF are drawing programs. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif', 'avif']);

/** Signatures of JPEG, PNG, WebP and GIF files, in Latin-1: these are decoded without detecting the format first. */
const SIGNATURES = /^(\xff\xd8\xff|\x89PNG|RIFF.{4}WEBP|GIF8)/s;
const SIGNATURE_BYTES = 12;

/** Matches any URL, including those of storage buckets. */
const SCHEME = /^([a-z][a-z\d+.-]*):\/\//i;

export interface ImageReadOptions extends ReadOptions {
  /** Reads files. @throws {UnreadableImage} */
  readonly bytesOf?: (file: string) => Promise<Uint8Array>;
}

/**
 * Reads a JPEG, PNG, WebP, GIF, TIFF or AVIF image.
 * @param source a path, a URL (file:, http:, https:, data:, blob:; also as a string), a Blob, or the bytes of a file
 * @throws {Error} one line that names the source, if it is missing, a directory, empty, larger than MAX_FILE_BYTES, not an image,
 * of more than MAX_INPUT_PIXELS, or damaged; the signal's reason if it is aborted
 */
export async function readImage(source: EncodedImage, options: ImageReadOptions = {}): Promise<RgbImage> {
  const { signal } = options;
  try {
    const bytes = await readBytes(source, options);
    signal?.throwIfAborted();
    if (bytes.length === 0) throw new UnreadableImage('the file is empty');
    return await decode(bytes);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Error(
      `cannot read image ${nameOf(source)}: ${error instanceof UnreadableImage ? error.message : decoderReason(error)}`,
    );
  }
}

function nameOf(source: EncodedImage): string {
  return sourceName(source instanceof URL && source.protocol === 'file:' ? fileURLToPath(source) : source);
}

async function readBytes(
  source: EncodedImage,
  { signal, bytesOf = fileBytes }: ImageReadOptions,
): Promise<Uint8Array> {
  if (source instanceof URL || (typeof source === 'string' && /^(https?|file|data|blob):/i.test(source))) {
    const url = URL.canParse(source) ? new URL(source) : refuse('it is not a URL');
    return url.protocol === 'file:' ? bytesOf(fileURLToPath(url)) : download(url, { signal });
  }
  if (typeof source === 'string') {
    const [, scheme] = SCHEME.exec(source) ?? [];
    if (scheme !== undefined) refuse(`${scheme}: is not fetched; expected a path, http: or https:`);
    return bytesOf(source);
  }
  if (source instanceof Blob) {
    checkSize(source.size);
    return new Uint8Array(await source.arrayBuffer());
  }
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return refuse('expected a path, a URL, a Blob or the bytes of an image file');
}

function refuse(why: string): never {
  throw new UnreadableImage(why);
}

async function decode(bytes: Uint8Array): Promise<RgbImage> {
  const small = smallPng(bytes);
  if (small) return small;
  const sharp = await loadSharp().catch((error: Error) => {
    throw new UnreadableImage(error.message);
  });
  // From memory, not by name: the decoder would choose by extension and may have cached an older file.
  const source = sharp(bytes, {
    limitInputPixels: MAX_INPUT_PIXELS,
    failOn: 'error',
    ignoreIcc: true,
    pages: 1,
    autoOrient: true,
  });
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, SIGNATURE_BYTES));
  if (!SIGNATURES.test(start.toString('latin1'))) {
    const { format } = await source.metadata();
    if (!FORMATS.has(format)) throw new UnreadableImage(`${format} is not supported`);
  }
  const { data, info } = await source
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data: toRgb(data, info.channels) };
}

function toRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (channels !== 1) throw new UnreadableImage(`${channels} channels are not RGB`);
  return rgbBytes(data, channels);
}
