/**
 * Draws the affinity of every position of a photograph to one anchor through the tree: a heat map that is transparent where
 * affinities are low.
 *
 * Affinities are products of decays along a path and span many powers of ten, so that with a linear scale only the pixels
 * around the anchor would be visible. Colours are therefore chosen by rank (the highest tenth of the positions has the upper
 * tenth of the colours), which is invariant under monotone changes of the values; the colour bar gives the values at its
 * marks.
 */
import { checkGrid, dim, enlarge, type Grid } from './backdrop.js';
import { COLOUR_STEPS, colourIndex, HEAT_COLOURS, ranksOf, sampleColours } from './colour_map.js';
import { DARK, drawBar, LIGHT, MARKS, resizePlane } from './heat_map.js';
import { checkRgbImage, type RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { shortNumber } from './stroke_text.js';

export interface AffinityDrawing {
  /** The photograph, with the model's field of view; any size. */
  image: RgbImage;
  /** Grid of `values`, which covers the image evenly. */
  grid: Grid;
  /** float32 [grid.height * grid.width], row-major, each finite and at least 0. */
  values: Float32Array;
  /** The anchor, in pixels of `image`: 0 <= x < width, 0 <= y < height. */
  anchor: { x: number; y: number };
}

const BACKDROP = { brightness: 0.6, colour: 0 };

/** Opacity of the lowest and the highest colour; it is interpolated linearly. */
const ALPHA = { cold: 0.25, hot: 0.78 };

/** Exponent of ranks; above 1, fewer positions get the highest colours. */
const GAMMA = 1.6;

/** Number of points of the ring around the anchor. */
const RING_POINTS = 64;

/**
 * Draws the heat map, 1120 pixels on the long side; the same input gives the same pixels.
 * @throws {Error} if sizes do not match, a value is negative or not finite, or the anchor is outside.
 */
export function drawAffinity(drawing: AffinityDrawing): RgbImage {
  checkAffinity(drawing);
  const { image, grid, values, anchor } = drawing;
  const canvas = dim(enlarge(image), BACKDROP.brightness, BACKDROP.colour);
  blendHeat(canvas, resizePlane(rankScale(values), grid, canvas));
  const marks = new StrokeLayer(canvas.width, canvas.height);
  const scale = { x: canvas.width / image.width, y: canvas.height / image.height };
  drawAnchor(marks, (anchor.x + 0.5) * scale.x, (anchor.y + 0.5) * scale.y);
  const sorted = values.slice().sort();
  drawBar(canvas, marks, {
    colourAt: (part) => part ** GAMMA,
    textAt: (part) => shortNumber(sorted[Math.round(part * (sorted.length - 1))]),
  });
  marks.blend(canvas, MARKS);
  return canvas;
}

function checkAffinity({ image, grid, values, anchor }: AffinityDrawing): void {
  checkRgbImage('drawAffinity', image);
  checkGrid('drawAffinity', grid);
  if (values.length !== grid.height * grid.width) {
    throw new Error(
      `drawAffinity: a grid of ${grid.height}x${grid.width} has ${grid.height * grid.width} values, ` +
        `got ${values.length}`,
    );
  }
  const bad = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0)
    throw new Error(`drawAffinity: values[${bad}] = ${values[bad]}, expected finite and at least 0`);
  if (!(anchor.x >= 0 && anchor.x < image.width && anchor.y >= 0 && anchor.y < image.height)) {
    throw new Error(
      `drawAffinity: anchor ${anchor.x},${anchor.y} is outside the image of ${image.width}x${image.height}`,
    );
  }
}

/**
 * Returns only the heat map: the colour and opacity of each cell, for a page that overlays it on an image by itself.
 * @param values float32 [V], each finite and at least 0.
 * @returns RGBA [V, 4], not premultiplied, as for `ImageData`.
 */
export function affinityHeat(values: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const colours = sampleColours(HEAT_COLOURS);
  const heat = new Uint8ClampedArray(4 * values.length);
  const scaled = rankScale(values);
  for (let i = 0; i < scaled.length; i++) {
    const index = colourIndex(scaled[i]);
    for (let c = 0; c < 3; c++) heat[4 * i + c] = colours[3 * index + c];
    heat[4 * i + 3] = Math.round(255 * coverOf(index));
  }
  return heat;
}

/** Rank of each value, 0..1, raised to the power of GAMMA. */
function rankScale(values: Float32Array): Float32Array {
  return Float32Array.from(ranksOf(values), (rank) => rank ** GAMMA);
}

/** Opacity of a colour over the photograph, 0..1. */
function coverOf(index: number): number {
  return ALPHA.cold + ((ALPHA.hot - ALPHA.cold) * index) / (COLOUR_STEPS - 1);
}

function blendHeat(canvas: RgbImage, heat: Float32Array): void {
  const colours = sampleColours(HEAT_COLOURS);
  for (let i = 0; i < heat.length; i++) {
    const index = colourIndex(heat[i]);
    const alpha = coverOf(index);
    for (let c = 0; c < 3; c++) {
      const below = canvas.data[3 * i + c];
      canvas.data[3 * i + c] = Math.round(below + alpha * (colours[3 * index + c] - below));
    }
  }
}

/** Draws a ring with a cross whose centre stays free. */
function drawAnchor(marks: StrokeLayer, x: number, y: number): void {
  const ring = Array.from({ length: RING_POINTS + 1 }, (_, i) => {
    const angle = (2 * Math.PI * i) / RING_POINTS;
    return [x + 16 * Math.cos(angle), y + 16 * Math.sin(angle)];
  }).flat();
  const arms = [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ].map(([dx, dy]) => [x + 5 * dx, y + 5 * dy, x + 25 * dx, y + 25 * dy]);
  for (const [width, colour] of [
    [5.5, DARK],
    [2.5, LIGHT],
  ]) {
    for (const points of [ring, ...arms]) marks.stroke(points, width, colour);
  }
}
