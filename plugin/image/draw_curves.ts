/** Draws line charts, such as the training loss over steps, that look the same on every machine. */
import type { Rgb } from './colour_map.js';
import type { Rectangle } from './resample.js';
import { checkExtent, type RgbImage } from './rgb_image.js';
import { StrokeLayer } from './stroke_layer.js';
import { fittedText, shortNumber, TEXT_HEIGHT, textStrokes, textWidth } from './stroke_text.js';

export interface Curve {
  /** If empty, the curve is not in the legend. */
  readonly name: string;
  /** x and y of each point, with ascending x. Points that are not finite interrupt the curve. */
  readonly points: ArrayLike<number>;
  /** Default: a colour chosen for this curve. */
  readonly colour?: Rgb;
  /** Line width in pixels; default 2.5. */
  readonly width?: number;
}

/** A chart. The charts of one image are stacked and share the range of x. */
export interface CurvePanel {
  readonly title: string;
  readonly curves: readonly Curve[];
  /** Values of y that the chart must include. */
  readonly includes?: readonly number[];
}

export interface CurveOptions {
  /** Width of the image in pixels; default 1120. */
  readonly width?: number;
  /** Height of one chart in pixels; default 340. */
  readonly height?: number;
}

const COLOURS: readonly Rgb[] = [
  [38, 98, 190],
  [214, 92, 40],
  [34, 140, 92],
  [140, 80, 180],
];
const [INK, GRID]: readonly Rgb[] = [
  [60, 62, 70],
  [226, 228, 234],
];
const PAPER = 255;
const TEXT_SCALE = 1.2;
const TEXT_LINE = 1.4;
const LINE = 2.5;
/** Margins around a chart in pixels. */
const MARGIN = { left: 74, right: 24, top: 40, bottom: 34 };
const LEAST = { width: 200, height: 120 };
/** Approximate pixels between two grid lines. */
const GRID_STEP = { x: 120, y: 50 };

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Draws charts, stacked vertically. If a curve has several points in one pixel column, their mean is drawn.
 * @throws {Error} if there is no panel, or the image would be smaller than 200 x 120 pixels per chart.
 */
export function drawCurves(
  panels: readonly CurvePanel[],
  { width = 1120, height = 340 }: CurveOptions = {},
): RgbImage {
  for (const [name, value] of Object.entries({ width, height })) checkExtent('drawCurves', name, value);
  if (panels.length === 0) throw new Error('drawCurves: expected at least one panel');
  if (width < LEAST.width || height < LEAST.height) {
    throw new Error(
      `drawCurves: ${width} x ${height} pixels a chart, expected at least ${LEAST.width} x ${LEAST.height}`,
    );
  }
  const image = {
    width,
    height: height * panels.length,
    data: new Uint8Array(width * height * panels.length * 3).fill(PAPER),
  };
  const all = panels.flatMap(({ curves }) => curves.flatMap(({ points }) => pointsOf(points)));
  const x = rangeOf(all.map(([x]) => x));
  const layer = new StrokeLayer(image.width, image.height);
  const palette: Rgb[] = [INK, GRID];
  for (const [i, panel] of panels.entries()) {
    const area = {
      left: MARGIN.left,
      top: i * height + MARGIN.top,
      width: width - MARGIN.left - MARGIN.right,
      height: height - MARGIN.top - MARGIN.bottom,
    };
    drawPanel(layer, panel, area, x, palette);
  }
  layer.blend(image, Uint8Array.from(palette.flat()));
  return image;
}

function drawPanel(layer: StrokeLayer, panel: CurvePanel, area: Rectangle, x: Range, palette: Rgb[]): void {
  const { title, curves, includes = [] } = panel;
  const values = curves.flatMap(({ points }) => pointsOf(points).map(([, y]) => y));
  const yTicks = ticks(rangeOf([...values, ...includes]), area.height / GRID_STEP.y);
  const y = { from: yTicks[0], to: yTicks[yTicks.length - 1] };
  const column = (value: number) => area.left + ((value - x.from) / (x.to - x.from)) * area.width;
  const row = (value: number) => area.top + (1 - (value - y.from) / (y.to - y.from)) * area.height;
  const write = (text: string, left: number, top: number) => {
    for (const line of textStrokes(text, left, top, TEXT_SCALE)) layer.stroke(line, TEXT_LINE, 0);
  };
  const right = area.left + area.width;
  const bottom = area.top + area.height;
  for (const tick of yTicks) {
    layer.stroke([area.left, row(tick), right, row(tick)], 1, 1);
    const text = tickText(tick);
    write(text, area.left - 10 - textWidth(text, TEXT_SCALE), row(tick) - (TEXT_HEIGHT * TEXT_SCALE) / 2);
  }
  for (const tick of ticks(x, area.width / GRID_STEP.x).filter((tick) => tick >= x.from && tick <= x.to)) {
    layer.stroke([column(tick), area.top, column(tick), bottom], 1, 1);
    const text = tickText(tick);
    const left = column(tick) - textWidth(text, TEXT_SCALE) / 2;
    write(text, Math.min(left, right - textWidth(text, TEXT_SCALE)), bottom + 10);
  }
  write(fittedText(title, area.width / 2, TEXT_SCALE), area.left, area.top - 24);
  const drawn = curves.map((curve, i) => {
    const { name, points, colour = COLOURS[i % COLOURS.length], width = LINE } = curve;
    const ink = palette.push(colour) - 1;
    for (const line of linesOf(points, column)) {
      const onImage = line.map((value, k) => (k % 2 === 0 ? value : row(value)));
      layer.stroke(onImage, width, ink);
    }
    return { name, width, ink };
  });
  let end = right;
  for (const { name, width, ink } of drawn.filter(({ name }) => name !== '').reverse()) {
    const label = fittedText(name, area.width / 4, TEXT_SCALE);
    const left = end - textWidth(label, TEXT_SCALE);
    write(label, left, area.top - 24);
    const middle = area.top - 24 + (TEXT_HEIGHT * TEXT_SCALE) / 2;
    layer.stroke([left - 30, middle, left - 8, middle], Math.max(width, LINE), ink);
    end = left - 50;
  }
}

/** Returns the finite points. */
function pointsOf(points: ArrayLike<number>): [x: number, y: number][] {
  return Array.from({ length: points.length >> 1 }, (_, i): [number, number] => [
    points[2 * i],
    points[2 * i + 1],
  ]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
}

/** Returns the uninterrupted parts of a curve, at most one point per pixel column: x in the image, and y. */
function linesOf(points: ArrayLike<number>, column: (x: number) => number): number[][] {
  const lines: number[][] = [];
  let line: number[] = [];
  let sum = { count: 0, x: 0, y: 0 };
  const take = () => {
    if (sum.count > 0) line.push(sum.x / sum.count, sum.y / sum.count);
    sum = { count: 0, x: 0, y: 0 };
  };
  const finish = () => {
    take();
    if (line.length > 0) lines.push(line);
    line = [];
  };
  for (let i = 0; i + 1 < points.length; i += 2) {
    const [x, y] = [column(points[i]), points[i + 1]];
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      finish();
      continue;
    }
    if (sum.count > 0 && Math.floor(x) !== Math.floor(sum.x / sum.count)) take();
    sum = { count: sum.count + 1, x: sum.x + x, y: sum.y + y };
  }
  finish();
  return lines;
}

/** Returns the range of some values, never empty. */
function rangeOf(values: readonly number[]): Range {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  if (from > to) return { from: 0, to: 1 };
  return from < to ? { from, to } : { from, to: from + Math.max(Math.abs(from) * 0.1, 1e-9) };
}

/** Returns round numbers, 1, 2 or 5 times a power of ten apart, that enclose a range. */
function ticks({ from, to }: Range, count: number): number[] {
  const rough = (to - from) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(from / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(to / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Formats a number: up to four significant digits in plain notation if short, else in scientific notation. */
function tickText(value: number): string {
  const plain = String(Number(value.toPrecision(4)));
  if (plain.length <= 6 && !plain.includes('e')) return plain;
  return `${value < 0 ? '-' : ''}${shortNumber(Math.abs(value))}`;
}
