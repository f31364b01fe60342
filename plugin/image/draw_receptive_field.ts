/**
 * Draws how much each pixel contributes to the centre of a network's features: a heat map, and the squares that contain
 * given shares.
 */
import { LONG_SIDE } from './backdrop.js';
import { colourIndex, HEAT_COLOURS, sampleColours } from './colour_map.js';
import {
  type ContributionMap,
  type ContributionScale,
  checkContributions,
  contributionSquares,
  scaledContributions,
} from './contributions.js';
import { DARK, drawBar, LIGHT, MARKS, resizePlane } from './heat_map.js';
import type { RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { shortNumber, TEXT_HEIGHT, textStrokes, textWidth } from './stroke_text.js';

export interface ReceptiveFieldDrawing extends ContributionMap {
  /** Default `log`. */
  readonly scale?: ContributionScale;
  /** Whether to draw squares and colour bar. Default true. */
  readonly marks?: boolean;
}

/** Pixels between the outline of a square and its label. */
const PADDING = 6;

/**
 * Draws the heat map, 1120 x 1120 pixels, with outlines of the squares of `contributionSquares`; the same input gives the
 * same pixels. The label of a square is omitted if it does not fit outside of the next smaller one.
 * @throws {Error} if a size does not match, or a value is negative or not finite.
 */
export function drawReceptiveField(drawing: ReceptiveFieldDrawing): RgbImage {
  checkContributions('drawReceptiveField', drawing);
  const { size, values, scale, marks = true } = drawing;
  const canvas = { width: LONG_SIDE, height: LONG_SIDE, data: new Uint8Array(LONG_SIDE * LONG_SIDE * 3) };
  const scaled = scaledContributions(values, scale);
  const colours = sampleColours(HEAT_COLOURS);
  const plane = resizePlane(scaled, { height: size, width: size }, canvas);
  for (let i = 0; i < plane.length; i++) {
    const index = colourIndex(plane[i]);
    for (let c = 0; c < 3; c++) canvas.data[3 * i + c] = colours[3 * index + c];
  }
  if (!marks) return canvas;
  const layer = new StrokeLayer(canvas.width, canvas.height);
  drawSquares(layer, drawing);
  drawBar(canvas, layer, { colourAt: (part) => part, textAt: shortNumber });
  layer.blend(canvas, MARKS);
  return canvas;
}

/**
 * Returns only the heat map: the colour of each pixel, for a page that displays it at its own size.
 * @returns RGBA [size, size, 4], opaque, as for `ImageData`.
 * @throws {Error} as `drawReceptiveField`.
 */
export function receptiveFieldHeat(
  map: ContributionMap,
  scale?: ContributionScale,
): Uint8ClampedArray<ArrayBuffer> {
  checkContributions('receptiveFieldHeat', map);
  const colours = sampleColours(HEAT_COLOURS);
  const heat = new Uint8ClampedArray(4 * map.values.length).fill(255);
  const scaled = scaledContributions(map.values, scale);
  for (let i = 0; i < scaled.length; i++) {
    const index = colourIndex(scaled[i]);
    for (let c = 0; c < 3; c++) heat[4 * i + c] = colours[3 * index + c];
  }
  return heat;
}

function drawSquares(layer: StrokeLayer, { size, values, scale }: ReceptiveFieldDrawing): void {
  const pixel = LONG_SIDE / size;
  const middle = Math.floor(size / 2) + 0.5;
  let inner = 0;
  for (const { share, side } of contributionSquares({ size, values }, scale)) {
    const [from, to] = [middle - side / 2, middle + side / 2].map(
      (at) => Math.min(size, Math.max(0, at)) * pixel,
    );
    const label = `${Math.round(100 * share)} %`;
    const lines = [[from, from, to, from, to, to, from, to, from, from]];
    const [left, top] = [from + PADDING, from + PADDING];
    const isFree = top + TEXT_HEIGHT + PADDING <= LONG_SIDE / 2 - inner && left + textWidth(label) < to;
    if (isFree) lines.push(...textStrokes(label, left, top));
    for (const [width, colour] of [
      [4, DARK],
      [1.6, LIGHT],
    ]) {
      for (const line of lines) layer.stroke(line, width, colour);
    }
    inner = ((side + 1) / 2) * pixel;
  }
}
