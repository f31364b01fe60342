/**
 * Converts the logits of a segmenter to the class of every pixel of the image: windows are averaged where they overlap, then
 * the logits are resized to the network's input and again to the image, both bilinearly, and the largest wins.
 *
 * Works row by row: the logits of the whole image, hundreds of numbers per pixel, are never held.
 */
import { bilinearMap } from '../kernels/axis_map.js';
import { nextTask } from '../next_task.js';
import { NOT_FINITE } from './input.js';
import type { Extent } from './prepare.js';

/** Logits of a part of the network's input, on a coarser grid. */
export interface LogitWindow extends Extent {
  /** Upper left corner and size in pixels of the network's input. */
  readonly left: number;
  readonly top: number;
  readonly rows: number;
  readonly columns: number;
  /** float32 [rows, columns, classes] */
  readonly logits: Float32Array;
}

export interface ClassMapOptions {
  /** Aborts the work between two bands of rows, with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Multiplications between two checks of the signal: some milliseconds. */
const WORK_AT_A_TIME = 2 ** 24;

/** For each sample of a resized side, the lower and upper neighbour, and the weight of the upper one. */
interface Neighbours {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  readonly part: Float32Array;
}

function neighboursOf(input: number, output: number): Neighbours {
  const map = bilinearMap(input, output);
  return {
    lower: Int32Array.from(map, ({ first }) => first),
    upper: Int32Array.from(map, ({ first, weights }) => first + weights.length - 1),
    part: Float32Array.from(map, ({ weights }) => weights[1] ?? 0),
  };
}

/**
 * Returns the class of each pixel of an image, the first of equals.
 * @param windows cover the network's input; a pixel in several windows gets their mean.
 * @param network size of the network's input in pixels.
 * @returns uint16 [image.height, image.width]
 * @throws {Error} if the logits of a pixel are all NaN; the signal's reason if it is aborted.
 */
export async function classMapOf(
  windows: readonly LogitWindow[],
  classes: number,
  network: Extent,
  image: Extent,
  { signal }: ClassMapOptions = {},
): Promise<Uint16Array> {
  const rowOf = meanRows(windows, classes, network);
  const [rows, columns] = [
    neighboursOf(network.height, image.height),
    neighboursOf(network.width, image.width),
  ];
  const classMap = new Uint16Array(image.height * image.width);
  const blended = new Float32Array(network.width * classes);
  const workOfRow = (network.width + image.width) * classes;
  for (let y = 0, work = 0; y < image.height; y++, work += workOfRow) {
    if (work > WORK_AT_A_TIME) {
      await nextTask();
      signal?.throwIfAborted();
      work = 0;
    }
    blend(rowOf(rows.lower[y]), rowOf(rows.upper[y]), rows.part[y], blended);
    largestOfRow(blended, classes, columns, classMap.subarray(y * image.width, (y + 1) * image.width));
  }
  return classMap;
}

function blend(lower: Float32Array, upper: Float32Array, part: number, result: Float32Array): void {
  if (part === 0) result.set(lower);
  else for (let i = 0; i < result.length; i++) result[i] = (1 - part) * lower[i] + part * upper[i];
}

function largestOfRow(
  row: Float32Array,
  classes: number,
  { lower, upper, part }: Neighbours,
  result: Uint16Array,
): void {
  for (let x = 0; x < result.length; x++) {
    const [a, b] = [1 - part[x], part[x]];
    const [left, right] = [lower[x] * classes, upper[x] * classes];
    let best = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) {
      const value = a * row[left + c] + b * row[right + c];
      if (value > most) {
        most = value;
        best = c;
      }
    }
    if (best < 0) {
      throw new Error(NOT_FINITE);
    }
    result[x] = best;
  }
}

/**
 * Returns a function that computes a row of the network's input, [network.width, classes], averaged over the windows. The
 * last two rows are cached.
 */
function meanRows(
  windows: readonly LogitWindow[],
  classes: number,
  network: Extent,
): (y: number) => Float32Array {
  const readers = windows.map((window) => ({
    window,
    vertical: neighboursOf(window.rows, window.height),
    horizontal: neighboursOf(window.columns, window.width),
    coarse: new Float32Array(window.columns * classes),
  }));
  const counts = new Uint16Array(network.width);
  const fill = (y: number, row: Float32Array) => {
    row.fill(0);
    counts.fill(0);
    for (const { window, vertical, horizontal, coarse } of readers) {
      const at = y - window.top;
      if (at < 0 || at >= window.height) continue;
      const length = window.columns * classes;
      const [lower, upper] = [vertical.lower[at], vertical.upper[at]].map((i) =>
        window.logits.subarray(i * length, (i + 1) * length),
      );
      blend(lower, upper, vertical.part[at], coarse);
      for (let x = 0; x < window.width; x++) {
        const [a, b] = [1 - horizontal.part[x], horizontal.part[x]];
        const [left, right] = [horizontal.lower[x] * classes, horizontal.upper[x] * classes];
        const to = (window.left + x) * classes;
        for (let c = 0; c < classes; c++) row[to + c] += a * coarse[left + c] + b * coarse[right + c];
        counts[window.left + x]++;
      }
    }
    for (let x = 0; x < network.width; x++) {
      if (counts[x] < 2) continue;
      for (let i = x * classes; i < (x + 1) * classes; i++) row[i] /= counts[x];
    }
  };
  const kept = [0, 1].map(() => ({ y: -1, row: new Float32Array(network.width * classes) }));
  return (y) => {
    const found = kept.find((each) => each.y === y);
    if (found) return found.row;
    // The two rows to blend are adjacent, so the upper one is no longer needed.
    const oldest = kept[0].y < kept[1].y ? kept[0] : kept[1];
    fill(y, oldest.row);
    oldest.y = y;
    return oldest.row;
  };
}

/** Positions of windows of `crop` pixels along a side, `stride` apart; the last one is moved back to end at the edge. */
export function windowStarts(side: number, crop: number, stride: number): number[] {
  const count = Math.floor(Math.max(side - crop + stride - 1, 0) / stride) + 1;
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(i * stride, side - crop)));
}
