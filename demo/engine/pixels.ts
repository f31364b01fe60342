/** Converts between the package's pixels and the page's bitmaps. */
import type { RgbImage } from 'tfjs-grootvl';

/** Maximum long side of displayed images, in pixels, as in the package's drawings. */
const SHOWN_SIDE = 1120;

/**
 * An image as shown by the page: upright, with a long side of at most SHOWN_SIDE. @throws {Error} one line, if it cannot be read
 */
export async function decode(image: Blob): Promise<{ bitmap: ImageBitmap; given: Extent }> {
  const whole = await createImageBitmap(image).catch(() => {
    const name = 'name' in image ? String(image.name) : 'the image';
    throw new Error(`${name} is not an image that this browser can decode`);
  });
  const given = { width: whole.width, height: whole.height };
  const scale = SHOWN_SIDE / Math.max(given.width, given.height);
  if (scale >= 1) return { bitmap: whole, given };
  const size = {
    resizeWidth: Math.max(1, Math.round(scale * given.width)),
    resizeHeight: Math.max(1, Math.round(scale * given.height)),
  };
  const bitmap = await createImageBitmap(whole, { ...size, resizeQuality: 'high' });
  whole.close();
  return { bitmap, given };
}

/** A size in pixels. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** A canvas with the content of a bitmap. */
function canvasOf(bitmap: ImageBitmap): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', {
    willReadFrequently: true,
  });
  if (!context) throw new Error(`a canvas of ${bitmap.width} x ${bitmap.height} pixels could not be made`);
  context.drawImage(bitmap, 0, 0);
  return context;
}

/** The pixels of a bitmap without alpha. */
export function rgbOf(bitmap: ImageBitmap): RgbImage {
  const { width, height } = bitmap;
  const rgba = canvasOf(bitmap).getImageData(0, 0, width, height).data;
  const data = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { width, height, data };
}

/** A drawing of the package as a bitmap. */
export function bitmapOf({ width, height, data }: RgbImage): Promise<ImageBitmap> {
  const image = new ImageData(width, height);
  const rgba = image.data;
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    rgba[to] = data[from];
    rgba[to + 1] = data[from + 1];
    rgba[to + 2] = data[from + 2];
    rgba[to + 3] = 255;
  }
  return createImageBitmap(image);
}

/** The background of a heat map, as in the package's own drawings: grey, and dark enough for colours to stand out. */
export function backdropOf(bitmap: ImageBitmap): ImageBitmap {
  const context = canvasOf(bitmap);
  const { width, height } = bitmap;
  context.globalCompositeOperation = 'saturation';
  context.fillStyle = '#000';
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = 'multiply';
  context.fillStyle = '#999';
  context.fillRect(0, 0, width, height);
  return context.canvas.transferToImageBitmap();
}
