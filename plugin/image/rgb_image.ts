/** Pictures in memory, with 8 bits a channel. */

/** An 8-bit RGB picture in memory. */
export interface RgbImage {
  /** Columns, at least 1. */
  width: number;
  /** Rows, at least 1. */
  height: number;
  /** uint8 [height, width, 3], row-major, red first; length is `height * width * 3`. */
  data: Uint8Array;
}

/** More than any camera takes, and 300 MB of RGB: a small file cannot ask for much more memory than that. */
export const MAX_INPUT_PIXELS = 100_000_000;

/** Throws `Error` for more than MAX_INPUT_PIXELS. */
export function checkPixels(width: number, height: number): void {
  if (width * height <= MAX_INPUT_PIXELS) return;
  throw new Error(`the picture has ${width} x ${height} pixels, at most ${MAX_INPUT_PIXELS} are read`);
}

/** RGB of pixels with 1, 3 or 4 channels: grey is repeated, alpha is dropped. */
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

/** Throws an `Error` that starts with `caller` when `image` does not keep the promise of `RgbImage`. */
export function checkRgbImage(caller: string, image: RgbImage): void {
  if (typeof image !== 'object' || image === null || !ArrayBuffer.isView(image.data)) {
    throw new Error(`${caller}: expected a picture of width, height and data, got ${String(image)}`);
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

/** Throws an `Error` unless `value` is a whole number of at least 1. */
export function checkExtent(caller: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new Error(`${caller}: ${what} must be a whole number of at least 1, got ${value}`);
  }
}
