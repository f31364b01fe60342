/** Draws the classes of a photograph's pixels: their colours over it, and a legend with names and shares below. */
import { dim, enlarge } from './backdrop.js';
import type { Rgb } from './colour_map.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { fittedText, TEXT_HEIGHT, textStrokes, textWidth } from './stroke_text.js';

/** A class of an image, and its share of the pixels. */
export interface ClassShare {
  readonly index: number;
  readonly label: string;
  /** Pixels of this class divided by all pixels, from 0 to 1. */
  readonly share: number;
}

export interface SegmentationDrawing {
  /** The photograph. */
  image: RgbImage;
  /** uint16 [image.height, image.width]: the class of each pixel. */
  classMap: Uint16Array;
  /** Entries of the legend, by descending share. */
  classes: readonly ClassShare[];
  /** One for each class in `classMap`, by its index. */
  colours: readonly Rgb[];
  /** Whether to draw the legend; false for a page that has its own. Default true. */
  legend?: boolean;
}

const BACKDROP = { brightness: 0.95, colour: 0.3 };
/** Opacity of class colours over the photograph. */
const COVER = 0.58;
/** Brightness factor along the border between two classes. */
const BORDER = 0.45;

/** Sizes of the legend in pixels. */
const MARGIN = 16;
const ROW = 26;
const COLUMN = 262;
const SWATCH = 16;
const TEXT_SCALE = 1.2;
const TEXT_WIDTH = 1.7;
/** Maximum number of legend entries; further classes share one line. */
const MOST_ENTRIES = 32;

const PLATE = [18, 18, 24] as const;
const INK = [238, 238, 242] as const;
const FAINT = [150, 150, 160] as const;

/**
 * Draws the image, 1120 pixels on the long side, with a legend below unless `legend: false`; the same input gives the same
 * pixels.
 * @throws {Error} if sizes do not match, or a class has no colour.
 */
export function drawSegmentation(drawing: SegmentationDrawing): RgbImage {
  checkSegmentation(drawing);
  const { image, classMap, classes, colours } = drawing;
  const photo = dim(enlarge(image), BACKDROP.brightness, BACKDROP.colour);
  colourPixels(photo, image, classMap, colours);
  if (drawing.legend === false) return photo;
  const legend = legendOf(classes);
  const width = Math.max(photo.width, COLUMN + 2 * MARGIN);
  const columns = Math.max(1, Math.floor((width - 2 * MARGIN) / COLUMN));
  const rows = Math.ceil(legend.length / columns);
  const canvas = below(photo, width, rows * ROW + 2 * MARGIN);
  const layer = new StrokeLayer(canvas.width, canvas.height);
  const palette: Rgb[] = [INK, FAINT];
  for (const [i, { label, share, index }] of legend.entries()) {
    const left = MARGIN + Math.floor(i / rows) * COLUMN;
    const top = photo.height + MARGIN + (i % rows) * ROW;
    const write = (text: string, x: number, ink: number) => {
      const y = top + (ROW - TEXT_HEIGHT * TEXT_SCALE) / 2;
      for (const line of textStrokes(text, x, y, TEXT_SCALE)) layer.stroke(line, TEXT_WIDTH, ink);
    };
    const value = percent(share);
    const right = left + COLUMN - MARGIN - textWidth(value, TEXT_SCALE);
    write(value, right, FAINT_INK);
    if (index < 0) {
      write(label, left, FAINT_INK);
      continue;
    }
    palette.push(colours[index]);
    layer.rectangle(left, top + (ROW - SWATCH) / 2, SWATCH, SWATCH, 3, palette.length - 1);
    const start = left + SWATCH + 9;
    write(fittedText(label, right - start - 12, TEXT_SCALE), start, 0);
  }
  layer.blend(canvas, Uint8Array.from(palette.flat()));
  return canvas;
}

const FAINT_INK = 1;

function checkSegmentation({ image, classMap, classes, colours }: SegmentationDrawing): void {
  checkRgbImage('drawSegmentation', image);
  if (classMap.length !== image.width * image.height) {
    throw new Error(
      `drawSegmentation: an image of ${image.width}x${image.height} has ${image.width * image.height} pixels, ` +
        `got ${classMap.length} in classMap`,
    );
  }
  const missing = classMap.find((index) => index >= colours.length);
  const unknown = missing ?? classes.find(({ index }) => colours[index] === undefined)?.index;
  if (unknown !== undefined) {
    throw new Error(`drawSegmentation: class ${unknown} has no colour, ${colours.length} were given`);
  }
}

/** Blends the colours of the classes over the photograph, with a border where they meet. */
function colourPixels(
  photo: RgbImage,
  given: RgbImage,
  classMap: Uint16Array,
  colours: readonly Rgb[],
): void {
  const { width, height, data } = photo;
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * given.width) / width));
  const rowOf = (y: number) => {
    const row = Math.floor(((Math.min(y, height - 1) + 0.5) * given.height) / height);
    return classMap.subarray(row * given.width, (row + 1) * given.width);
  };
  for (let y = 0; y < height; y++) {
    const [row, next] = [rowOf(y), rowOf(y + 1)];
    for (let x = 0; x < width; x++) {
      const index = row[columns[x]];
      const colour = colours[index];
      const isBorder = index !== row[columns[Math.min(x + 1, width - 1)]] || index !== next[columns[x]];
      const at = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        const mixed = data[at + c] + COVER * (colour[c] - data[at + c]);
        data[at + c] = (isBorder ? BORDER * mixed : mixed) + 0.5; // rounds, because the fraction is truncated
      }
    }
  }
}

/** Returns the entries of the legend; the last one, with index -1, stands for the classes without an entry. */
function legendOf(classes: readonly ClassShare[]): readonly ClassShare[] {
  if (classes.length <= MOST_ENTRIES) return classes;
  const rest = classes.slice(MOST_ENTRIES - 1);
  const share = rest.reduce((sum, each) => sum + each.share, 0);
  return [...classes.slice(0, MOST_ENTRIES - 1), { index: -1, label: `${rest.length} more`, share }];
}

function percent(share: number): string {
  return share < 0.0005 ? '<0.1 %' : `${(100 * share).toFixed(1)} %`;
}

/** Returns the image with space for a legend below, centred if it is narrower. */
function below(photo: RgbImage, width: number, height: number): RgbImage {
  const data = new Uint8Array(width * (photo.height + height) * 3);
  for (let i = 0; i < data.length; i++) data[i] = PLATE[i % 3];
  const left = Math.floor((width - photo.width) / 2);
  for (let y = 0; y < photo.height; y++) {
    const row = photo.data.subarray(y * photo.width * 3, (y + 1) * photo.width * 3);
    data.set(row, (y * width + left) * 3);
  }
  return { width, height: photo.height + height, data };
}
