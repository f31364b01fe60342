/** What drawings are laid over: the photograph, enlarged and dimmed. */
import { resizeBicubic } from './resample.js';
import { checkExtent, type RgbImage } from './rgb_image.js';

/** Long side of a drawing in pixels: 20 for each cell of a 56 x 56 grid, which a stroke needs to look smooth. */
export const LONG_SIDE = 1120;

export interface Grid {
  height: number;
  width: number;
}

/** Throws `Error` unless both sides of the grid are whole numbers of at least 1. */
export function checkGrid(caller: string, grid: Grid): void {
  checkExtent(caller, 'grid.height', grid.height);
  checkExtent(caller, 'grid.width', grid.width);
}

/** The image with its long side at LONG_SIDE pixels. */
export function enlarge(image: RgbImage): RgbImage {
  const scale = LONG_SIDE / Math.max(image.width, image.height);
  const side = (pixels: number) => Math.max(1, Math.round(pixels * scale));
  return resizeBicubic(image, side(image.width), side(image.height));
}

/**
 * A background copy of a picture: `brightness` 0..1 times the colours, `colour` 0..1 of which is left
 * (0 is greyscale, by Rec. 601 luma).
 */
export function dim(image: RgbImage, brightness: number, colour: number): RgbImage {
  const given = image.data;
  const data = new Uint8Array(given.length);
  for (let i = 0; i < data.length; i += 3) {
    const luma = 0.299 * given[i] + 0.587 * given[i + 1] + 0.114 * given[i + 2];
    for (let c = i; c < i + 3; c++) {
      data[c] = brightness * (luma + colour * (given[c] - luma)) + 0.5; // rounds, since bytes are cut off
    }
  }
  return { ...image, data };
}
