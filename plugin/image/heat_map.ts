/** Parts of heat maps: resizing values to a canvas, and the colour bar. */
import { transpose } from '../torch_layout.js';
import type { Grid } from './backdrop.js';
import { colourIndex, HEAT_COLOURS, sampleColours } from './colour_map.js';
import { bicubicWeights, type ResampleWeights } from './resample.js';
import type { RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { TEXT_HEIGHT, textStrokes } from './stroke_text.js';

/** Colours of marks: dark below light, so that a line is visible on any colour. */
export const MARKS = Uint8Array.of(10, 10, 20, 255, 255, 255);
export const DARK = 0;
export const LIGHT = 1;

/** Positions of the bar's labels, as fractions of its height. */
const BAR_MARKS = [1, 0.75, 0.5, 0.25, 0];

/** What a bar shows at a fraction of its height, from 0 at the bottom to 1 at the top. */
export interface BarScale {
  /** Position in the colour map, 0..1. */
  readonly colourAt: (part: number) => number;
  readonly textAt: (part: number) => string;
}

/** Resamples a float plane bicubically to the size of `canvas`, with antialiasing when it shrinks. */
export function resizePlane(plane: Float32Array, grid: Grid, canvas: RgbImage): Float32Array {
  const wide = resampleRows(plane, grid.height, grid.width, bicubicWeights(grid.width, canvas.width));
  const turned = transpose(wide, [grid.height, canvas.width], [1, 0]);
  const tall = resampleRows(turned, canvas.width, grid.height, bicubicWeights(grid.height, canvas.height));
  return transpose(tall, [canvas.width, canvas.height], [1, 0]);
}

function resampleRows(
  plane: Float32Array,
  rows: number,
  columns: number,
  resampling: ResampleWeights,
): Float32Array {
  const { first, count, weights, stride } = resampling;
  const result = new Float32Array(rows * first.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < first.length; i++) {
      let sum = 0;
      for (let k = 0; k < count[i]; k++) sum += plane[row * columns + first[i] + k] * weights[i * stride + k];
      result[row * first.length + i] = sum;
    }
  }
  return result;
}

/** Draws the colour bar in the lower right corner, on a dark plate, with the values at its marks. */
export function drawBar(canvas: RgbImage, marks: StrokeLayer, { colourAt, textAt }: BarScale): void {
  const height = Math.min(180, canvas.height - 48);
  if (height < 60 || canvas.width < 160) return;
  const left = canvas.width - 110;
  const top = canvas.height - height - 34;
  const plate = new StrokeLayer(canvas.width, canvas.height);
  plate.rectangle(left - 14, top - 14, 108, height + 28, 9, DARK);
  plate.blend(canvas, MARKS, 0.72);
  const colours = sampleColours(HEAT_COLOURS);
  for (let row = 0; row < height; row++) {
    const index = colourIndex(colourAt(1 - row / (height - 1)));
    const colour = colours.subarray(3 * index, 3 * index + 3);
    for (let x = left; x < left + 16; x++) canvas.data.set(colour, 3 * ((top + row) * canvas.width + x));
  }
  for (const mark of BAR_MARKS) {
    const y = top + (1 - mark) * (height - 1) + 0.5;
    marks.stroke([left + 19, y, left + 24, y], 1.4, LIGHT);
    for (const points of textStrokes(textAt(mark), left + 30, y - TEXT_HEIGHT / 2))
      marks.stroke(points, 1.4, LIGHT);
  }
}
