/**
 * Masks of detections: bitmaps of a part of the image, and their encodings. COCO's run lengths are column-major, from the
 * left; polygons follow the edges of pixels.
 */
import type { Extent } from './prepare.js';
import type { Rectangle } from './resample.js';

/** The pixels of an object, in a rectangle of the image that contains all of them. */
export interface MaskBitmap extends Rectangle {
  /** uint8 [height, width]: 1 inside the object, else 0. */
  readonly data: Uint8Array;
}

/** A mask as COCO run lengths. */
export interface RunLengths {
  /** Size of the image in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Lengths of alternating runs of 0 and 1, starting with 0: compressed as in COCO's files, or as numbers. */
  readonly counts: string | readonly number[];
}

/** Limit on the size that a file of run lengths may request; more than any image that can be read has. */
const MAX_PIXELS = 2 ** 28;

/** Encodes a mask in an image of `width` x `height` pixels as compressed COCO run lengths. */
export function encodeRle(mask: MaskBitmap, { width, height }: Extent): RunLengths & { counts: string } {
  const counts: number[] = [];
  let [value, end] = [0, 0];
  /** Adds a run of ones, as a range of column-major pixel indices. */
  const ones = (from: number, to: number) => {
    if (from === end && value === 1) counts[counts.length - 1] += to - from;
    else counts.push(from - end, to - from);
    [value, end] = [1, to];
  };
  for (let x = 0; x < mask.width; x++) {
    const column = (mask.left + x) * height + mask.top;
    for (let y = 0; y < mask.height; ) {
      const from = y;
      while (y < mask.height && mask.data[y * mask.width + x] === 1) y++;
      if (y > from) ones(column + from, column + y);
      else y++;
    }
  }
  if (end < width * height) counts.push(width * height - end);
  return { size: [height, width], counts: compressCounts(counts) };
}

/** Compresses counts as COCO does: from the third on, the difference to the count two before, in 5 bits per character. */
export function compressCounts(counts: readonly number[]): string {
  let text = '';
  for (const [i, count] of counts.entries()) {
    let rest = i > 2 ? count - counts[i - 2] : count;
    for (let more = true; more; ) {
      const bits = rest & 31;
      rest >>= 5;
      more = bits & 16 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode((more ? bits | 32 : bits) + 48);
    }
  }
  return text;
}

/** @throws {Error} if the text is not a valid run-length encoding. */
export function expandCounts(text: string): number[] {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; shift += 5) {
      const code = text.charCodeAt(at++) - 48;
      if (!(code >= 0 && code < 64) || shift > 25) {
        throw new Error(`run lengths: character ${at} of ${text.length} belongs to no number`);
      }
      value |= (code & 31) << shift;
      more = (code & 32) !== 0;
      if (!more && code & 16) value |= -1 << (shift + 5);
    }
    counts.push(counts.length > 2 ? value + counts[counts.length - 2] : value);
  }
  return counts;
}

/**
 * Returns the alternating starts and ends of the runs of ones, as column-major pixel indices.
 * @throws {Error} if the counts are invalid or do not add up to the size of the image.
 */
export function runsOfOnes({ size, counts }: RunLengths): number[] {
  const [height, width] = size;
  const pixels = height * width;
  if (!(Number.isSafeInteger(height) && Number.isSafeInteger(width) && height >= 0 && width >= 0)) {
    throw new Error(`run lengths: the size is [${size}], expected height and width in pixels`);
  }
  if (pixels > MAX_PIXELS) throw new Error(`run lengths of ${pixels} pixels, expected at most ${MAX_PIXELS}`);
  const ones: number[] = [];
  let at = 0;
  for (const [i, run] of (typeof counts === 'string' ? expandCounts(counts) : counts).entries()) {
    if (!(Number.isSafeInteger(run) && run >= 0 && at + run <= pixels)) {
      throw new Error(`run lengths: count ${i} is ${run} after ${at} of ${pixels} pixels`);
    }
    if (i % 2 === 1) ones.push(at, at + run);
    at += run;
  }
  if (at !== pixels) throw new Error(`run lengths of ${at} pixels, expected ${pixels}`);
  return ones;
}

/**
 * Decodes COCO run lengths to uint8 [height, width], 1 inside the mask.
 * @throws {Error} as `runsOfOnes`.
 */
export function decodeRle(mask: RunLengths): Uint8Array {
  const runs = runsOfOnes(mask);
  const [height, width] = mask.size;
  const data = new Uint8Array(height * width);
  for (let i = 0; i < runs.length; i += 2) {
    for (let p = runs[i]; p < runs[i + 1]; p++) data[(p % height) * width + Math.floor(p / height)] = 1;
  }
  return data;
}

/** Right, down, left, up: the sides of a pixel, clockwise. */
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/** Offset of the pixel ahead on the right of a corner, by direction; the pixel ahead on the left is the previous entry. */
const RIGHT_HAND = [
  [0, 0],
  [-1, 0],
  [-1, -1],
  [0, -1],
] as const;

/**
 * Returns the contours of a mask: alternating x and y of their corners in pixels of the image, along the edges of pixels.
 * Filling them by the even-odd rule restores the mask: outer contours run clockwise, those of holes counterclockwise. Pixels
 * that touch only at a corner are not connected.
 */
export function maskPolygons(mask: MaskBitmap): number[][] {
  const { left, top, width, height, data } = mask;
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === 1;
  const followed = new Uint8Array(width * height);
  const polygons: number[][] = [];
  for (let i = 0; i < data.length; i++) {
    const [startX, startY] = [i % width, Math.floor(i / width)];
    // Every contour has a top side, along which it runs to the right.
    if (followed[i] === 1 || !inside(startX, startY) || inside(startX, startY - 1)) continue;
    const corners: number[] = [];
    let [x, y, direction] = [startX, startY, 0];
    do {
      if (direction === 0) followed[y * width + x] = 1;
      const [dx, dy] = STEPS[direction];
      x += dx;
      y += dy;
      const ahead = (turn: number) => {
        const [offsetX, offsetY] = RIGHT_HAND[(direction + turn) % 4];
        return inside(x + offsetX, y + offsetY);
      };
      const before = direction;
      if (!ahead(0)) direction = (direction + 1) % 4;
      else if (ahead(3)) direction = (direction + 3) % 4;
      if (direction !== before) corners.push(left + x, top + y);
    } while (x !== startX || y !== startY || direction !== 0);
    polygons.push(corners);
  }
  return polygons;
}
