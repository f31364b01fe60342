/** Images in memory, with 8 bits per channel. */

/** An 8-bit RGB image in memory. */
export interface RgbImage {
  /** Columns, at least 1. */
  width: number;
  /** Rows, at least 1. */
  height: number;
  /** uint8 [height, width, 3], row-major, red first; length is `height * width * 3`. */
  data: Uint8Array;
}

/** More than any camera produces, and 300 MB of RGB, so that a small file cannot request much more memory. */
export const MAX_INPUT_PIXELS = 100_000_000;

/** @throws {Error} for more than MAX_INPUT_PIXELS. */
export function checkPixels(width: number, height: number): void {
  if (width * height <= MAX_INPUT_PIXELS) return;
  throw new Error(`the image has ${width} x ${height} pixels, at most ${MAX_INPUT_PIXELS} are read`);
}

/** Converts pixels with 1, 3 or 4 channels to RGB: grey is repeated, alpha is dropped. */
export function rgbBytes(data: Uint8Array | Uint8ClampedArray, channels: number): Uint8Array {
  if (channels === 3) return Uint8Array.from(data);
  const rgb = new Uint8Array((data.length / channels) * 3);
  const second = channels === 4 ? 1 : 0;
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + second];
    rgb[to + 2] = data[from + 2 * second];
  }
  return rgb;
}

/** @throws {Error} that starts with `caller` if `image` is not a valid `RgbImage`. */
export function checkRgbImage(caller: string, image: RgbImage): void {
  if (typeof image !== 'object' || image === null || !ArrayBuffer.isView(image.data)) {
    throw new Error(`${caller}: expected an image of width, height and data, got ${String(image)}`);
  }
  const { width, height, data } = image;
  checkExtent(caller, 'image width', width);
  checkExtent(caller, 'image height', height);
  if (data.length !== width * height * 3) {
    throw new Error(
      `${caller}: an RGB image of ${width}x${height} has ${width * height * 3} bytes, got ${data.length}`,
    );
  }
}

/** @throws {Error} unless `value` is an integer of at least 1. */
export function checkExtent(caller: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new Error(`${caller}: ${what} must be a whole number of at least 1, got ${value}`);
  }
}
