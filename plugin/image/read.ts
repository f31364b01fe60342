/**
 * Reads images of all accepted kinds as RGB pixels, in Node and pages alike, as PIL's `convert('RGB')` does: alpha is
 * dropped (not blended), colour profiles are ignored, and the image is rotated upright by its EXIF orientation.
 *
 * A page decodes by itself. In Node, importing `tfjs-grootvl/node` installs a decoder.
 */
import { type DrawableImage, readBitmap, readDrawable } from './read_in_page.js';
import { checkPixels, type RgbImage, rgbBytes } from './rgb_image.js';

/** Pixels in memory: RGB, RGBA (such as `ImageData`) or grey, 8 bits, row-major; distinguished by the length of `data`. */
export interface PixelData {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** The bytes of an image file, or its location: in a page a URL, in Node a path or a URL. */
export type EncodedImage = string | URL | Blob | ArrayBuffer | Uint8Array;

/** An image of any accepted kind, except for tensors. */
export type ImageSource = PixelData | EncodedImage | DrawableImage;

export interface ReadOptions {
  /** Aborts the reading with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** No image within MAX_INPUT_PIXELS needs more, even uncompressed with 16 bits and alpha. */
export const MAX_FILE_BYTES = 1 << 30;

type Decoder = (source: EncodedImage, options: ReadOptions) => Promise<RgbImage>;
let decoder: Decoder | undefined;

/** Sets the decoder of image files outside of browsers. */
export function setImageDecoder(decode: Decoder): void {
  decoder = decode;
}

const EXPECTED =
  'a tensor, an <img>, <canvas>, <video>, ImageData, ImageBitmap, Blob, URL, path, bytes of an image file, ' +
  'or pixels {data, width, height}';

/** Class tags of drawable objects, and their names in errors. */
const DRAWABLES = new Map([
  ['HTMLImageElement', '<img>'],
  ['HTMLCanvasElement', '<canvas>'],
  ['OffscreenCanvas', 'OffscreenCanvas'],
  ['HTMLVideoElement', '<video>'],
  ['ImageBitmap', 'ImageBitmap'],
  ['VideoFrame', 'VideoFrame'],
]);

/** Returns the class of an object, even if it is from another frame. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/**
 * Reads an image.
 * @throws {Error} one line that says what is wrong: not an image, not loaded yet, from another origin, damaged, empty, or
 *   more than MAX_INPUT_PIXELS.
 */
export async function readPixels(source: ImageSource, options: ReadOptions = {}): Promise<RgbImage> {
  options.signal?.throwIfAborted();
  const tag = tagOf(source);
  const drawable = DRAWABLES.get(tag);
  if (drawable) return readDrawable(source as DrawableImage, drawable);
  if (isEncoded(source, tag)) {
    const image = await (decoder ?? decodeInPage)(source, options);
    options.signal?.throwIfAborted();
    return image;
  }
  if (typeof source === 'object' && source !== null && 'data' in source) return toRgb(source);
  throw new Error(`expected ${EXPECTED}, got ${nameOf(source, tag)}`);
}

function isEncoded(source: ImageSource, tag: string): source is EncodedImage {
  if (typeof source === 'string') return true;
  return ['URL', 'Blob', 'File', 'ArrayBuffer'].includes(tag) || source instanceof Uint8Array;
}

function nameOf(value: unknown, tag: string): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array of arrays';
  return typeof value === 'object' ? `an object (${tag})` : `a ${typeof value}`;
}

/** Drops alpha, and repeats grey. */
function toRgb({ data, width, height }: PixelData): RgbImage {
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(side) || side < 1) {
      throw new Error(`expected pixels of a ${name} of at least 1, got ${String(side)}`);
    }
  }
  checkPixels(width, height);
  if (!(data instanceof Uint8Array) && tagOf(data) !== 'Uint8ClampedArray') {
    throw new Error(`expected pixels in a Uint8Array or Uint8ClampedArray, got ${nameOf(data, tagOf(data))}`);
  }
  const pixels = width * height;
  const channels = data.length / pixels;
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new Error(
      `${width} x ${height} pixels have ${pixels} (grey), ${3 * pixels} (RGB) or ${4 * pixels} (RGBA) bytes, ` +
        `got ${data.length}`,
    );
  }
  return { width, height, data: rgbBytes(data, channels) };
}

async function decodeInPage(source: EncodedImage, { signal }: ReadOptions): Promise<RgbImage> {
  if (typeof createImageBitmap !== 'function') {
    throw new Error("image files need a decoder; in Node, import 'tfjs-grootvl/node'");
  }
  const isAddress = typeof source === 'string' || tagOf(source) === 'URL';
  try {
    const blob = isAddress
      ? await download(String(source), signal)
      : toBlob(source as Exclude<EncodedImage, string>);
    if (blob.size === 0) throw new Error('the file is empty');
    if (blob.size > MAX_FILE_BYTES) throw new Error(`${blob.size} bytes, at most ${MAX_FILE_BYTES} are read`);
    return await readBitmap(blob, 'not an image that this browser can decode');
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Error(`cannot read image ${sourceName(source)}: ${(error as Error).message}`);
  }
}

function toBlob(source: Exclude<EncodedImage, string>): Blob {
  return source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer>]);
}

/** Returns the name of a source in errors. It is shortened, because a data: URL is as long as its image. */
export function sourceName(source: EncodedImage): string {
  const quoted = (name: string) => `"${name.length > 200 ? `${name.slice(0, 60)}...` : name}"`;
  if (source instanceof Blob) return 'name' in source ? quoted(String(source.name)) : 'from a Blob';
  return typeof source === 'string' || tagOf(source) === 'URL' ? quoted(String(source)) : 'from memory';
}

async function download(url: string, signal?: AbortSignal): Promise<Blob> {
  const response = await fetch(url, { signal }).catch((error: Error) => {
    throw new Error(`it cannot be fetched (${error.message})`);
  });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.blob();
}
