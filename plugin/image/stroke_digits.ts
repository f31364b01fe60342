/** Numbers drawn as strokes: a picture must not depend on which fonts a machine has. */
import { curveTo } from './stroke_layer.js';

/** SVG path data of lines and quadratic curves (M, L, H, V, Q), in pixels on a cell 6 wide and 10 high. */
const GLYPHS: Readonly<Record<string, string>> = {
  '0': 'M3 0Q6 0 6 5Q6 10 3 10Q0 10 0 5Q0 0 3 0',
  '1': 'M1 2L3.5 0V10',
  '2': 'M0 2.5Q0 0 3 0Q6 0 6 2.7Q6 5 0 10H6',
  '3': 'M0 1.5Q1 0 3 0Q5.7 0 5.7 2.4Q5.7 4.7 2.5 4.7Q6 4.7 6 7.4Q6 10 3 10Q.7 10 0 8.3',
  '4': 'M4.5 10V0L0 7H6',
  '5': 'M5.5 0H.8L.4 4.4Q1.5 3.7 3 3.7Q6 3.7 6 6.8Q6 10 2.9 10Q.8 10 0 8.6',
  '6': 'M5 .3Q0 1.5 0 6.5Q0 10 3 10Q6 10 6 6.9Q6 4 3.2 4Q.6 4 0 6.5',
  '7': 'M0 0H6Q3 4.5 2.2 10',
  '8': 'M3 4.6Q.5 4.6 .5 2.300Q.5 0 3 0Q5.5 0 5.5 2.300Q5.5 4.6 3 4.600Q0 4.6 0 7.300Q0 10 3 10Q6 10 6 7.300Q6 4.6 3 4.6',
  '9': 'M1 9.7Q6 8.5 6 3.500Q6 0 3 0Q0 0 0 3.100Q0 6 2.8 6Q5.4 6 6 3.5',
  '.': 'M1 9.900V10',
  '-': 'M.5 5.500H4.5',
  e: 'M.3 6.700H5.700Q5.7 4 3 4Q.3 4 .3 7Q.3 10 3 10Q4.7 10 5.5 8.8',
};

/** Pixels from one glyph to the next; a dot is narrow. */
const ADVANCE = 9;
const DOT_ADVANCE = 5;

/** Height of a digit in pixels. */
export const DIGIT_HEIGHT = 10;

/** Two significant digits in as few characters as possible: `0.35`, `12`, `3.1e-7`. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(2)));
  return Number(value.toPrecision(2)).toExponential().replace('+', '');
}

/** The lines of a number with its top left corner at (x, y), one for each character: x and y of their points. */
export function numberStrokes(value: number, x: number, y: number): number[][] {
  let pen = x;
  return [...shortNumber(value)].map((glyph) => {
    const points = pathPoints(GLYPHS[glyph]).map((coordinate, i) => coordinate + (i % 2 === 0 ? pen : y));
    pen += glyph === '.' ? DOT_ADVANCE : ADVANCE;
    return points;
  });
}

function pathPoints(path: string): number[] {
  const points: number[] = [];
  for (const [, command, text] of path.matchAll(/([MLHVQ])([^MLHVQ]*)/g)) {
    const [a, b, c, d] = text.split(' ').map(Number);
    const [x, y] = points.slice(-2);
    if (command === 'Q') curveTo(points, a, b, c, d);
    else points.push(command === 'V' ? x : a, command === 'V' ? a : command === 'H' ? y : b);
  }
  return points;
}
