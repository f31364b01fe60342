/** The background of drawings: the photograph, enlarged and dimmed. */
import { resizeBicubic } from './resample.js';
import { checkExtent, type RgbImage } from './rgb_image.js';

/** Long side of a drawing in pixels: 20 for each cell of a 56 x 56 grid, enough for smooth strokes. */
export const LONG_SIDE = 1120;

export interface Grid {
  height: number;
  width: number;
}

/** @throws {Error} unless both sides of the grid are integers of at least 1. */
export function checkGrid(caller: string, grid: Grid): void {
  checkExtent(caller, 'grid.height', grid.height);
  checkExtent(caller, 'grid.width', grid.width);
}

/** Enlarges the image to a long side of LONG_SIDE pixels. */
export function enlarge(image: RgbImage): RgbImage {
  const scale = LONG_SIDE / Math.max(image.width, image.height);
  const side = (pixels: number) => Math.max(1, Math.round(pixels * scale));
  return resizeBicubic(image, side(image.width), side(image.height));
}

/**
 * Returns a background copy of an image: colours are multiplied by `brightness`, 0..1, after their saturation is reduced to
 * `colour`, 0..1 (0 is greyscale, by Rec. 601 luma).
 */
export function dim(image: RgbImage, brightness: number, colour: number): RgbImage {
  const given = image.data;
  const data = new Uint8Array(given.length);
  for (let i = 0; i < data.length; i += 3) {
    const luma = 0.299 * given[i] + 0.587 * given[i + 1] + 0.114 * given[i + 2];
    for (let c = i; c < i + 3; c++) {
      data[c] = brightness * (luma + colour * (given[c] - luma)) + 0.5; // rounds, because the fraction is truncated
    }
  }
  return { ...image, data };
}
