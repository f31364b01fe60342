/**
 * Draws strokes and filled shapes over an image, antialiased by 4 x 4 samples per pixel. Shapes have hard edges on the
 * samples, so that neighbouring strokes meet without seams. The pixels are the same on every machine, whereas SVG renderers
 * differ and limit the size of a drawing.
 */
import type { RgbImage } from './rgb_image.js';

/** Samples along each side of a pixel. */
const SAMPLES = 4;

/** No stroke is thinner than one sample, so that none has gaps. */
const LEAST_RADIUS = 0.5;

/** Number of line segments per curve. */
const CURVE_PIECES = 8;

export class StrokeLayer {
  /** Palette index plus 1 of each sample; 0 where nothing is drawn. */
  private readonly samples: Uint16Array;
  private readonly columns: number;
  private readonly rows: number;
  /** Range of rows of samples that have been drawn on; initially empty. */
  private first: number;
  private end = 0;

  /** Creates an empty layer for an image of `width` x `height` pixels; it takes 32 bytes per pixel. */
  constructor(width: number, height: number) {
    this.columns = width * SAMPLES;
    this.rows = height * SAMPLES;
    this.first = this.rows;
    this.samples = new Uint16Array(this.columns * this.rows);
  }

  /**
   * Draws a line through points, with round caps and joins.
   * @param points x and y of each point in pixels; a single point gives a disc.
   * @param width of the line in pixels.
   * @param colour index into the palette of `blend`.
   */
  stroke(points: ArrayLike<number>, width: number, colour: number): void {
    const radius = Math.max(LEAST_RADIUS, (width * SAMPLES) / 2);
    const at = (i: number) => points[i] * SAMPLES;
    for (let i = points.length > 2 ? 2 : 0; i < points.length; i += 2) {
      const from = Math.max(0, i - 2);
      this.capsule(at(from), at(from + 1), at(i), at(i + 1), radius, colour + 1);
    }
  }

  /** Draws a filled rectangle with rounded corners; all sizes in pixels. */
  rectangle(left: number, top: number, width: number, height: number, corner: number, colour: number): void {
    const [x, y] = [left + corner, top + corner];
    const [right, bottom] = [left + width - corner, top + height - corner];
    this.stroke([x, y, right, y, right, bottom, x, bottom, x, y], 2 * corner, colour);
    for (let row = Math.round(y * SAMPLES); row < Math.round(bottom * SAMPLES); row++) {
      this.fillRow(row, x * SAMPLES, right * SAMPLES, colour + 1);
    }
  }

  /** Blends the drawing over an image of the layer's size. `palette`: uint8 [colours, 3]; `opacity` 0..1. */
  blend(image: RgbImage, palette: Uint8Array, opacity = 1): void {
    const { data, width } = image;
    const { samples, columns } = this;
    const pairs = new Uint32Array(samples.buffer); // SAMPLES is even
    const all = SAMPLES * SAMPLES;
    const share = opacity / all;
    for (let y = Math.floor(this.first / SAMPLES); y * SAMPLES < this.end; y++) {
      for (let x = 0; x < width; x++) {
        const begin = y * SAMPLES * columns + x * SAMPLES;
        // Most pixels are within one stroke or beside all: their samples are equal.
        const pair = pairs[begin / 2];
        let isUniform = pair >>> 16 === (pair & 0xffff);
        for (let row = begin; isUniform && row < begin + SAMPLES * columns; row += columns) {
          for (let i = row; i < row + SAMPLES; i += 2) isUniform &&= pairs[i / 2] === pair;
        }
        let [covered, red, green, blue] = [0, 0, 0, 0];
        if (isUniform) {
          if (pair === 0) continue;
          const colour = 3 * (samples[begin] - 1);
          covered = all;
          red = all * palette[colour];
          green = all * palette[colour + 1];
          blue = all * palette[colour + 2];
        } else {
          for (let row = begin; row < begin + SAMPLES * columns; row += columns) {
            for (let i = row; i < row + SAMPLES; i++) {
              if (samples[i] === 0) continue;
              const colour = 3 * (samples[i] - 1);
              covered++;
              red += palette[colour];
              green += palette[colour + 1];
              blue += palette[colour + 2];
            }
          }
        }
        const below = 1 - (opacity * covered) / all;
        const at = 3 * (y * width + x);
        data[at] = Math.round(below * data[at] + share * red);
        data[at + 1] = Math.round(below * data[at + 1] + share * green);
        data[at + 2] = Math.round(below * data[at + 2] + share * blue);
      }
    }
  }

  /** Fills everything within `radius` of the segment from a to b, in samples. It is convex, so each row is one interval. */
  private capsule(ax: number, ay: number, bx: number, by: number, radius: number, value: number): void {
    const length = Math.hypot(bx - ax, by - ay);
    const dx = length === 0 ? 1 : (bx - ax) / length;
    const dy = length === 0 ? 0 : (by - ay) / length;
    const first = Math.max(0, Math.ceil(Math.min(ay, by) - radius - 0.5));
    const last = Math.min(this.rows - 1, Math.floor(Math.max(ay, by) + radius - 0.5));
    for (let row = first; row <= last; row++) {
      const fromA = row + 0.5 - ay;
      const fromB = row + 0.5 - by;
      // Half the width of each cap; NaN beside it.
      const halfA = Math.sqrt(radius * radius - fromA * fromA);
      const halfB = Math.sqrt(radius * radius - fromB * fromB);
      let from = halfA >= 0 ? ax - halfA : Number.POSITIVE_INFINITY;
      let to = halfA >= 0 ? ax + halfA : Number.NEGATIVE_INFINITY;
      if (halfB >= 0) {
        from = Math.min(from, bx - halfB);
        to = Math.max(to, bx + halfB);
      }
      // Between the caps: |across| <= radius and 0 <= along <= length, both linear in x, the distance from a.
      const across = fromA * dx;
      const along = fromA * dy;
      let left = dy === 0 && Math.abs(across) > radius ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      let right =
        dx === 0 && (along < 0 || along > length) ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      if (dy !== 0) {
        const low = (-radius - across) / -dy;
        const high = (radius - across) / -dy;
        left = Math.max(left, Math.min(low, high));
        right = Math.min(right, Math.max(low, high));
      }
      if (dx !== 0) {
        const low = -along / dx;
        const high = (length - along) / dx;
        left = Math.max(left, Math.min(low, high));
        right = Math.min(right, Math.max(low, high));
      }
      if (left <= right) {
        from = Math.min(from, ax + left);
        to = Math.max(to, ax + right);
      }
      this.fillRow(row, from, to, value);
    }
  }

  /** Fills the samples of a row whose centre lies between `from` and `to`. */
  private fillRow(row: number, from: number, to: number, value: number): void {
    if (row < 0 || row >= this.rows) return;
    const begin = Math.max(0, Math.ceil(from - 0.5));
    const end = Math.min(this.columns, Math.floor(to - 0.5) + 1);
    if (begin >= end) return;
    const { samples } = this;
    const start = row * this.columns;
    for (let i = start + begin; i < start + end; i++) samples[i] = value; // faster than `fill` for most strokes
    this.first = Math.min(this.first, row);
    this.end = Math.max(this.end, row + 1);
  }
}

/** Appends the points of a quadratic curve that starts at the last point of `points`; a straight one needs one segment. */
export function curveTo(points: number[], cx: number, cy: number, x: number, y: number): void {
  const [x0, y0] = points.slice(-2);
  const straight = (cx - x0) * (y - cy) === (cy - y0) * (x - cx);
  const pieces = straight ? 1 : CURVE_PIECES;
  for (let i = 1; i <= pieces; i++) {
    const t = i / pieces;
    const [a, b, c] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
    points.push(a * x0 + b * cx + c * x, a * y0 + b * cy + c * y);
  }
}
