/**
 * OpenCV's bilinear resize of 8-bit images (`cv2.resize`, `INTER_LINEAR`), bit for bit. OpenCV computes with integers:
 * coefficients have 11 fractional bits, and the vertical pass drops bits twice before it rounds. Rounding a float bilinear
 * result instead would differ by 1 in about 12 % of the bytes.
 */
import { roundHalfEven } from '../rounding.js';
import { checkExtent, checkRgbImage, type RgbImage } from './rgb_image.js';

const SCALE = 2048;

/** For each sample of a resized side: its lower neighbour, which may be -1, and the coefficients of both. */
interface LinearWeights {
  readonly first: Int32Array;
  /** int32 [samples, 2] */
  readonly coefficients: Int32Array;
}

/** @param clamps whether samples beyond the first and the last pixel use only that pixel */
function linearWeights(input: number, output: number, clamps: boolean): LinearWeights {
  const first = new Int32Array(output);
  const coefficients = new Int32Array(2 * output);
  for (let i = 0; i < output; i++) {
    const position = Math.fround((i + 0.5) * (input / output) - 0.5);
    first[i] = Math.floor(position);
    let part = Math.fround(position - first[i]);
    if (clamps && (first[i] < 0 || first[i] >= input - 1)) {
      first[i] = first[i] < 0 ? 0 : input - 1;
      part = 0;
    }
    coefficients[2 * i] = roundHalfEven(Math.fround(1 - part) * SCALE);
    coefficients[2 * i + 1] = roundHalfEven(part * SCALE);
  }
  return { first, coefficients };
}

/**
 * Resizes to `width` x `height`. In addition to the result it holds two rows.
 * @throws {Error} if a size is not an integer of at least 1.
 */
export function resizeBilinear(image: RgbImage, width: number, height: number): RgbImage {
  checkRgbImage('resizeBilinear', image);
  checkExtent('resizeBilinear', 'width', width);
  checkExtent('resizeBilinear', 'height', height);
  const columns = linearWeights(image.width, width, true);
  const rows = linearWeights(image.height, height, false);
  const row = (y: number): Int32Array => {
    const at = Math.min(Math.max(y, 0), image.height - 1) * image.width * 3;
    const wide = new Int32Array(width * 3);
    for (let x = 0; x < width; x++) {
      const left = at + columns.first[x] * 3;
      // The right neighbour of the last pixel has weight 0.
      const right = columns.first[x] < image.width - 1 ? left + 3 : left;
      const [a, b] = [columns.coefficients[2 * x], columns.coefficients[2 * x + 1]];
      for (let c = 0; c < 3; c++) wide[3 * x + c] = image.data[left + c] * a + image.data[right + c] * b;
    }
    return wide;
  };
  const data = new Uint8Array(width * height * 3);
  let [upper, lower] = [row(rows.first[0]), row(rows.first[0] + 1)];
  for (let y = 0; y < height; y++) {
    const advanced = y === 0 ? 0 : rows.first[y] - rows.first[y - 1];
    if (advanced > 0) {
      upper = advanced === 1 ? lower : row(rows.first[y]);
      lower = row(rows.first[y] + 1);
    }
    const [a, b] = [rows.coefficients[2 * y], rows.coefficients[2 * y + 1]];
    const at = y * width * 3;
    for (let i = 0; i < upper.length; i++) {
      data[at + i] = (((a * (upper[i] >> 4)) >> 16) + ((b * (lower[i] >> 4)) >> 16) + 2) >> 2;
    }
  }
  return { width, height, data };
}
