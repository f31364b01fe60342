/** Draws a confusion matrix: a square with a row for each true class and a column for each predicted one. */
import { COLOUR_STEPS, colourIndex, HEAT_COLOURS, lightness, type Rgb, sampleColours } from './colour_map.js';
import type { RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { fittedText, TEXT_HEIGHT, textStrokes, textWidth } from './stroke_text.js';

/** What is drawn. */
export interface ConfusionDrawing {
  /** [classes, classes], row-major: how often a true class (row) was predicted as another (column). */
  readonly counts: ArrayLike<number>;
  /** One per class. */
  readonly names: readonly string[];
}

/** One pixel per class; more classes cannot be drawn. */
export const MOST_DRAWN_CLASSES = 4096;
/** Approximate side of the square in pixels; one pixel per class if there are more classes. */
const SIDE = 840;
/** Margins around the square, excluding class names. */
const MARGIN = { title: 46, right: 30, bottom: 94 };
/** Width of the longest name in pixels. */
const MOST_NAME = 200;
const PAPER = 255;
const [INK, LIGHT] = [0, 1];
const PALETTE = Uint8Array.of(60, 62, 70, 255, 255, 255);
const TEXT_SCALE = 1.2;
const TEXT_LINE = 1.4;
/** Minimum pixels from one name to the next, and minimum side of a cell with its share written in it. */
const LEAST = { label: 18, number: 40 };
/** Shares labelled at the colour bar. */
const SCALE_SHARES = [0, 0.01, 0.1, 0.25, 0.5, 1];
const BAR_HEIGHT = 12;

/**
 * Draws a confusion matrix. Colours encode the square root of a cell's share of its row, so that rare confusions are
 * visible; a class without images has a white row.
 * @throws {Error} if there are not `names` x `names` counts, a count is negative or not a number, or there are more than
 *   4096 classes.
 */
export function drawConfusion({ counts, names }: ConfusionDrawing): RgbImage {
  const classes = names.length;
  if (classes < 1 || classes > MOST_DRAWN_CLASSES) {
    throw new Error(`drawConfusion: ${classes} classes, expected 1 to ${MOST_DRAWN_CLASSES}`);
  }
  if (counts.length !== classes ** 2) {
    throw new Error(
      `drawConfusion: ${counts.length} counts, expected ${classes} x ${classes} as there are names`,
    );
  }
  const shares = rowShares(counts, classes);
  const cell = Math.max(1, Math.floor(SIDE / classes));
  const side = cell * classes;
  const labels = labelsOf(names, cell);
  const start = MARGIN.title + Math.max(...labels.map(({ text }) => Math.ceil(textWidth(text, TEXT_SCALE))));
  const [width, height] = [start + side + MARGIN.right, start + side + MARGIN.bottom];
  const image = { width, height, data: new Uint8Array(width * height * 3).fill(PAPER) };
  const colours = sampleColours(HEAT_COLOURS);
  const colourOf = (share: number) => {
    const at = 3 * colourIndex(Math.sqrt(share));
    return [colours[at], colours[at + 1], colours[at + 2]] as const;
  };
  for (let y = 0; y < side; y++) {
    const row = Math.floor(y / cell) * classes;
    for (let x = 0; x < side; x++) {
      const share = shares[row + Math.floor(x / cell)];
      if (!Number.isNaN(share)) paint(image, start + x, start + y, colourOf(share));
    }
  }
  const layer = new StrokeLayer(width, height);
  const square = { start, side, cell, classes };
  if (cell >= LEAST.number) writeShares(layer, shares, square, colourOf);
  writeNames(layer, labels, square);
  drawBar(image, layer, colours, square);
  layer.blend(image, PALETTE);
  return image;
}

/** Returns each count's share of its row; NaN in rows without counts. */
function rowShares(counts: ArrayLike<number>, classes: number): Float64Array {
  const sums = new Float64Array(classes);
  for (let i = 0; i < counts.length; i++) {
    if (!(Number.isFinite(counts[i]) && counts[i] >= 0)) {
      throw new Error(`drawConfusion: count ${i} is ${counts[i]}, expected a number of at least 0`);
    }
    sums[Math.floor(i / classes)] += counts[i];
  }
  return Float64Array.from(counts, (count, i) => count / sums[Math.floor(i / classes)]);
}

/** Position of the matrix: its upper left corner on both axes, its side and that of a cell, in pixels. */
interface Square {
  readonly start: number;
  readonly side: number;
  readonly cell: number;
  readonly classes: number;
}

/** Selects as many evenly spaced names as fit. */
function labelsOf(names: readonly string[], cell: number): { index: number; text: string }[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((step) => step * cell >= LEAST.label) ?? 1000;
  return Array.from({ length: Math.ceil(names.length / step) }, (_, i) => ({
    index: i * step,
    text: fittedText(names[i * step], MOST_NAME, TEXT_SCALE),
  }));
}

function paint({ data, width }: RgbImage, x: number, y: number, colour: Rgb): void {
  data.set(colour, 3 * (y * width + x));
}

/** Writes a line of text; `isUpright`: rotated to read from bottom to top. */
function write(
  layer: StrokeLayer,
  text: string,
  [left, top]: readonly [number, number],
  { isUpright = false, ink = INK }: { readonly isUpright?: boolean; readonly ink?: number } = {},
): void {
  for (const line of textStrokes(text, 0, 0, TEXT_SCALE)) {
    const points = line.slice();
    for (let i = 0; i < line.length; i += 2) {
      const [x, y] = [line[i], line[i + 1]];
      [points[i], points[i + 1]] = isUpright ? [left + y, top - x] : [left + x, top + y];
    }
    layer.stroke(points, TEXT_LINE, ink);
  }
}

const HALF_LINE = (TEXT_HEIGHT * TEXT_SCALE) / 2;

/** Writes each cell's share of its row in integer percent; nothing for 0. */
function writeShares(
  layer: StrokeLayer,
  shares: Float64Array,
  { start, cell, classes }: Square,
  colourOf: (share: number) => Rgb,
): void {
  for (const [i, share] of shares.entries()) {
    if (Number.isNaN(share) || share === 0) continue;
    const text = share < 0.005 ? '<1' : String(Math.round(100 * share));
    const left = start + ((i % classes) + 0.5) * cell - textWidth(text, TEXT_SCALE) / 2;
    const top = start + (Math.floor(i / classes) + 0.5) * cell - HALF_LINE;
    write(layer, text, [left, top], { ink: lightness(colourOf(share)) > 0.65 ? INK : LIGHT });
  }
}

function writeNames(
  layer: StrokeLayer,
  labels: readonly { readonly index: number; readonly text: string }[],
  { start, side, cell }: Square,
): void {
  for (const { index, text } of labels) {
    const at = start + (index + 0.5) * cell - HALF_LINE;
    write(layer, text, [start - 10 - textWidth(text, TEXT_SCALE), at]);
    write(layer, text, [at, start - 10], { isUpright: true });
  }
  const middle = start + side / 2;
  write(layer, 'predicted', [middle - textWidth('predicted', TEXT_SCALE) / 2, 10]);
  write(layer, 'true', [10, middle + textWidth('true', TEXT_SCALE) / 2], { isUpright: true });
}

/** Draws the colour bar, labelled with shares of a row in percent. */
function drawBar(image: RgbImage, layer: StrokeLayer, colours: Uint8Array, { start, side }: Square): void {
  const top = start + side + 26;
  for (let x = 0; x < side; x++) {
    const at = 3 * Math.min(COLOUR_STEPS - 1, Math.floor((x / side) * COLOUR_STEPS));
    for (let y = 0; y < BAR_HEIGHT; y++) {
      paint(image, start + x, top + y, [colours[at], colours[at + 1], colours[at + 2]]);
    }
  }
  for (const share of SCALE_SHARES) {
    const text = `${100 * share} %`;
    const at = Math.sqrt(share);
    write(layer, text, [start + at * (side - textWidth(text, TEXT_SCALE)), top + BAR_HEIGHT + 10]);
  }
  const what = 'of the images or pixels of a true class';
  write(layer, what, [start + side - textWidth(what, TEXT_SCALE), top + BAR_HEIGHT + 34]);
}
