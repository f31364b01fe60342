/** Draws detected objects over their photograph: masks with outlines, boxes, and labels that do not overlap. */
import { dim, enlarge } from './backdrop.js';
import { lightness, type Rgb } from './colour_map.js';
import { type MaskBitmap, maskPolygons } from './mask.js';
import type { Extent } from './prepare.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { fittedText, textStrokes, textWidth } from './stroke_text.js';

/** A detected object to draw. */
export interface DrawnDetection {
  /** Left, top, right and bottom in pixels of the image. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly label: string;
  /** Index of the class, which determines the colour. */
  readonly index: number;
  /** From 0 to 1. */
  readonly score: number;
  readonly mask?: MaskBitmap;
}

export interface DetectionDrawing {
  /** The photograph. */
  image: RgbImage;
  /** By descending score: labels are placed in this order, and earlier objects are drawn over later ones. */
  detections: readonly DrawnDetection[];
  /** One for each detected class, by its index. */
  colours: readonly Rgb[];
}

/** A rectangle in pixels. */
export interface LabelPlace extends Extent {
  readonly left: number;
  readonly top: number;
}

const BACKDROP = { brightness: 0.82, colour: 0.75 };
/** Opacity of a mask's colour over the photograph. */
const COVER = 0.42;

/** Line widths in pixels; each line has a wider dark one below it, so that it is visible on any colour. */
const OUTLINE = 1.8;
const BOX = 2.6;
const SHADOW = 2;

/** Sizes of labels in pixels. */
const TEXT_SCALE = 1.2;
const TEXT_WIDTH = 1.7;
const PADDING = { x: 7, y: 5 };
const LABEL_HEIGHT = 13 * TEXT_SCALE + 2 * PADDING.y; // including descenders
const MOST_LABEL_WIDTH = 300;
/** Maximum distance of a label from its box, in label heights. */
const REACH = 6;

const DARK: Rgb = [12, 12, 18];
const LIGHT: Rgb = [255, 255, 255];
/** Lightness above which a colour carries dark text. */
const LIGHT_PLATE = 0.66;

/**
 * Draws the objects, 1120 pixels on the long side; the same input gives the same pixels. A label is omitted if there is no
 * free place near its box.
 * @throws {Error} if a class has no colour, or a mask does not lie in the image.
 */
export function drawDetections(drawing: DetectionDrawing): RgbImage {
  checkDetections(drawing);
  const { image, detections, colours } = drawing;
  const canvas = dim(enlarge(image), BACKDROP.brightness, BACKDROP.colour);
  const scale = { x: canvas.width / image.width, y: canvas.height / image.height };
  const worstFirst = [...detections].reverse();
  for (const { mask, index } of worstFirst) if (mask) fillMask(canvas, mask, scale, colours[index]);

  const layer = new StrokeLayer(canvas.width, canvas.height);
  const palette: Rgb[] = [DARK, LIGHT];
  const inkOf = new Map<number, number>();
  for (const { index } of detections) {
    if (!inkOf.has(index)) inkOf.set(index, palette.push(colours[index]) - 1);
  }
  const boxes = detections.map(({ box: [x1, y1, x2, y2] }) => {
    return [x1 * scale.x, y1 * scale.y, x2 * scale.x, y2 * scale.y] as const;
  });
  for (let i = detections.length - 1; i >= 0; i--) {
    const { mask, index } = detections[i];
    const ink = inkOf.get(index) as number;
    const outlines = mask ? maskPolygons(mask).map((points) => smoothed(points, scale)) : [];
    const [x1, y1, x2, y2] = boxes[i];
    const frame = [x1, y1, x2, y1, x2, y2, x1, y2, x1, y1];
    for (const [extra, colour] of [
      [SHADOW, 0],
      [0, ink],
    ]) {
      for (const points of outlines) layer.stroke(points, OUTLINE + extra, colour);
      layer.stroke(frame, BOX + extra, colour);
    }
  }
  const labels = detections.map(({ label, score }) => {
    const value = ` ${score.toFixed(2)}`;
    return fittedText(label, MOST_LABEL_WIDTH - textWidth(value, TEXT_SCALE), TEXT_SCALE) + value;
  });
  const widths = labels.map((label) => textWidth(label, TEXT_SCALE) + 2 * PADDING.x);
  for (const [i, place] of placeLabels(boxes, widths, canvas).entries()) {
    if (!place) continue;
    const { index } = detections[i];
    const { left, top, width, height } = place;
    layer.rectangle(left, top, width, height, 4, inkOf.get(index) as number);
    const ink = lightness(colours[index]) > LIGHT_PLATE ? 0 : 1;
    for (const line of textStrokes(labels[i], left + PADDING.x, top + PADDING.y, TEXT_SCALE)) {
      layer.stroke(line, TEXT_WIDTH, ink);
    }
  }
  layer.blend(canvas, Uint8Array.from(palette.flat()));
  return canvas;
}

function checkDetections({ image, detections, colours }: DetectionDrawing): void {
  checkRgbImage('drawDetections', image);
  for (const [i, { index, box, mask }] of detections.entries()) {
    if (colours[index] === undefined) {
      throw new Error(`drawDetections: class ${index} has no colour, ${colours.length} were given`);
    }
    if (box.length !== 4 || !box.every(Number.isFinite)) {
      throw new Error(`drawDetections: box ${i} is [${box}], expected four numbers`);
    }
    if (!mask) continue;
    const { left, top, width, height, data } = mask;
    const isInside = left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height;
    if (!isInside || data.length !== width * height) {
      throw new Error(
        `drawDetections: mask ${i} has ${data.length} pixels of ${width}x${height} at ${left},${top}, ` +
          `expected a part of the image of ${image.width}x${image.height}`,
      );
    }
  }
}

/** Returns a contour through the midpoints of pixel sides, which is smooth, in canvas coordinates. */
function smoothed(corners: readonly number[], scale: { x: number; y: number }): number[] {
  const points: number[] = [];
  let [fromX, fromY] = corners.slice(-2);
  for (let i = 0; i < corners.length; i += 2) {
    const [x, y] = [corners[i], corners[i + 1]];
    const [dx, dy] = [Math.sign(x - fromX) / 2, Math.sign(y - fromY) / 2];
    points.push((fromX + dx) * scale.x, (fromY + dy) * scale.y, (x - dx) * scale.x, (y - dy) * scale.y);
    [fromX, fromY] = [x, y];
  }
  return [...points, points[0], points[1]];
}

function fillMask(canvas: RgbImage, mask: MaskBitmap, scale: { x: number; y: number }, colour: Rgb): void {
  const [from, to] = [
    [mask.left * scale.x, mask.top * scale.y],
    [(mask.left + mask.width) * scale.x, (mask.top + mask.height) * scale.y],
  ];
  const end = (value: number, most: number) => Math.min(Math.ceil(value), most);
  for (let y = Math.floor(from[1]); y < end(to[1], canvas.height); y++) {
    const row = Math.floor((y + 0.5) / scale.y) - mask.top;
    if (row < 0 || row >= mask.height) continue;
    for (let x = Math.floor(from[0]); x < end(to[0], canvas.width); x++) {
      const column = Math.floor((x + 0.5) / scale.x) - mask.left;
      if (column < 0 || column >= mask.width || mask.data[row * mask.width + column] !== 1) continue;
      const at = 3 * (y * canvas.width + x);
      for (let c = 0; c < 3; c++) {
        canvas.data[at + c] = Math.round(canvas.data[at + c] + COVER * (colour[c] - canvas.data[at + c]));
      }
    }
  }
}

/**
 * Places the label of each box: at its upper left corner if possible, else elsewhere at or near the box; inside the image
 * and clear of earlier labels. Undefined if there is no such place.
 */
export function placeLabels(
  boxes: readonly (readonly [number, number, number, number])[],
  widths: readonly number[],
  image: Extent,
): (LabelPlace | undefined)[] {
  const taken: LabelPlace[] = [];
  const height = LABEL_HEIGHT;
  return boxes.map(([x1, y1, x2, y2], i) => {
    const width = widths[i];
    if (width > image.width || height > image.height) return undefined;
    const candidates = [
      [x1, y1 - height],
      [x1, y1],
      [x1, y2],
      [x2 - width, y1 - height],
      [x2 - width, y1],
      [x1, y2 - height],
      [x2 - width, y2],
      [x2, y1],
      [x1 - width, y1],
    ];
    for (let step = 1; step <= REACH; step++) {
      for (const side of [-1, 1]) {
        candidates.push([x1, y1 + side * step * height], [x2, y1 + side * step * height]);
        candidates.push([x1 + (side * step * width) / 2, y1 - height]);
      }
    }
    for (const [x, y] of candidates) {
      const left = Math.min(Math.max(0, x), image.width - width);
      const top = Math.min(Math.max(0, y), image.height - height);
      const place = { left, top, width, height };
      if (taken.some((other) => overlap(other, place))) continue;
      taken.push(place);
      return place;
    }
    return undefined;
  });
}

function overlap(a: LabelPlace, b: LabelPlace): boolean {
  const isApart =
    a.left + a.width <= b.left ||
    b.left + b.width <= a.left ||
    a.top + a.height <= b.top ||
    b.top + b.height <= a.top;
  return !isApart;
}
