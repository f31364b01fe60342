/** Reads the pixels of page elements. Uses the browser's canvas, also in a worker. */
import { checkPixels, type RgbImage, rgbBytes } from './rgb_image.js';

/** All page objects that can be drawn. */
export type DrawableImage =
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | ImageBitmap
  | VideoFrame;

/** The stored values of the file: no colour management, no premultiplied alpha. */
const AS_STORED = {
  imageOrientation: 'from-image',
  colorSpaceConversion: 'none',
  premultiplyAlpha: 'none',
} as const;

type Canvas = HTMLCanvasElement | OffscreenCanvas;

/**
 * Reads the pixels of an element, a canvas or a frame.
 * @param name its name in errors.
 * @throws {Error} one line, if it shows no image or may not be read.
 */
export async function readDrawable(source: DrawableImage, name: string): Promise<RgbImage> {
  const { width, height } = sizeOf(source, name);
  if (width === 0 || height === 0)
    throw new Error(`the ${name} is empty: it has ${width} x ${height} pixels`);
  checkPixels(width, height);
  // An <img> has its file, whose values drawing would change by colour profile and alpha.
  if (name === '<img>') {
    const stored = await createImageBitmap(source as HTMLImageElement, AS_STORED).catch(() => undefined);
    if (stored) return closing(stored, () => pixelsOf(stored, width, height, name, storedValues));
  }
  return pixelsOf(source, width, height, name);
}

/**
 * Decodes an image file.
 * @param refusal message of the error if the browser cannot.
 */
export async function readBitmap(blob: Blob, refusal: string): Promise<RgbImage> {
  const bitmap = await createImageBitmap(blob, AS_STORED).catch(() => {
    throw new Error(refusal);
  });
  return closing(bitmap, () => {
    checkPixels(bitmap.width, bitmap.height);
    return pixelsOf(bitmap, bitmap.width, bitmap.height, 'image', storedValues);
  });
}

function closing(bitmap: ImageBitmap, read: () => RgbImage): RgbImage {
  try {
    return read();
  } finally {
    bitmap.close();
  }
}

function sizeOf(source: DrawableImage, name: string): { width: number; height: number } {
  if ('naturalWidth' in source) {
    if (!source.complete) throw new Error(`the ${name} has not been loaded yet: await image.decode() first`);
    if (source.naturalWidth === 0)
      throw new Error(`the ${name} shows no image: it has no source, or loading failed`);
    return { width: source.naturalWidth, height: source.naturalHeight };
  }
  if ('videoWidth' in source) {
    const hasFrame = source.readyState >= 2; // HAVE_CURRENT_DATA
    if (!hasFrame) throw new Error(`the ${name} has no frame yet: wait for its event loadeddata`);
    return { width: source.videoWidth, height: source.videoHeight };
  }
  if ('displayWidth' in source) return { width: source.displayWidth, height: source.displayHeight };
  return source;
}

/** @param stored reads the stored values of a source that is not opaque, if possible. */
function pixelsOf<Source extends DrawableImage>(
  source: Source,
  width: number,
  height: number,
  name: string,
  stored?: (source: Source) => Uint8Array | undefined,
): RgbImage {
  const context = newCanvas(width, height).getContext('2d', { willReadFrequently: true }) as
    | CanvasRenderingContext2D
    | OffscreenCanvasRenderingContext2D
    | null;
  if (!context) throw new Error(`a canvas of ${width} x ${height} pixels could not be made`);
  let rgba: Uint8ClampedArray;
  try {
    context.drawImage(source, 0, 0, width, height);
    rgba = context.getImageData(0, 0, width, height).data;
  } catch (error) {
    if ((error as Error).name !== 'SecurityError') throw error;
    throw new Error(
      `the pixels of the ${name} may not be read, since they come from another origin: ` +
        "set crossOrigin = 'anonymous' before src, and let the server allow it (CORS)",
    );
  }
  const values = isOpaque(rgba) ? rgba : (stored?.(source) ?? rgba);
  return { width, height, data: rgbBytes(values, 4) };
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

/**
 * Returns the RGBA of a bitmap without premultiplied alpha: a 2D canvas would lose the colour under transparent pixels.
 * Undefined if there is no WebGL or the bitmap is too large for it.
 */
function storedValues(bitmap: ImageBitmap): Uint8Array | undefined {
  const { width, height } = bitmap;
  const gl = newCanvas(1, 1).getContext('webgl') as WebGLRenderingContext | null;
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined;
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER,
    gl.COLOR_ATTACHMENT0,
    gl.TEXTURE_2D,
    gl.getParameter(gl.TEXTURE_BINDING_2D),
    0,
  );
  const rgba = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  const failed = gl.getError() !== gl.NO_ERROR;
  gl.getExtension('WEBGL_lose_context')?.loseContext(); // browsers limit the number of contexts
  return failed ? undefined : rgba;
}

function newCanvas(width: number, height: number): Canvas {
  if (typeof OffscreenCanvas === 'function') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}
