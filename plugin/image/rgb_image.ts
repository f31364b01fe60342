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
