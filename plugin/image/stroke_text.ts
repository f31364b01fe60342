/** Draws text as strokes, so that images do not depend on the fonts of a machine. */
import { curveTo } from './stroke_layer.js';

/**
 * Width and lines of each character: SVG path data of lines and quadratic curves (M, L, H, V, Q), in pixels. Capitals and
 * digits are TEXT_HEIGHT high, the baseline is at TEXT_HEIGHT, and descenders end at 13.
 */
const GLYPHS: Readonly<Record<string, readonly [width: number, path: string]>> = {
  ' ': [2, ''],
  '0': [6, 'M3 0Q6 0 6 5Q6 10 3 10Q0 10 0 5Q0 0 3 0'],
  '1': [6, 'M1 2L3.5 0V10'],
  '2': [6, 'M0 2.5Q0 0 3 0Q6 0 6 2.7Q6 5 0 10H6'],
  '3': [6, 'M0 1.5Q1 0 3 0Q5.7 0 5.7 2.4Q5.7 4.7 2.5 4.7Q6 4.7 6 7.4Q6 10 3 10Q.7 10 0 8.3'],
  '4': [6, 'M4.5 10V0L0 7H6'],
  '5': [6, 'M5.5 0H.8L.4 4.4Q1.5 3.7 3 3.7Q6 3.7 6 6.8Q6 10 2.9 10Q.8 10 0 8.6'],
  '6': [6, 'M5 .3Q0 1.5 0 6.5Q0 10 3 10Q6 10 6 6.9Q6 4 3.2 4Q.6 4 0 6.5'],
  '7': [6, 'M0 0H6Q3 4.5 2.2 10'],
  '8': [
    6,
    'M3 4.6Q.5 4.6 .5 2.3Q.5 0 3 0Q5.5 0 5.5 2.3Q5.5 4.6 3 4.6Q0 4.6 0 7.3Q0 10 3 10Q6 10 6 7.3Q6 4.6 3 4.6',
  ],
  '9': [6, 'M1 9.7Q6 8.5 6 3.5Q6 0 3 0Q0 0 0 3.1Q0 6 2.8 6Q5.4 6 6 3.5'],
  '.': [2, 'M1 9.9V10'],
  ',': [2, 'M1.2 9.8L.5 11.6'],
  ':': [2, 'M1 4.7V4.8M1 9.9V10'],
  ';': [2, 'M1 4.7V4.8M1.2 9.8L.5 11.6'],
  '!': [1, 'M.5 0V6.8M.5 9.9V10'],
  '?': [5, 'M0 1.6Q.7 0 2.5 0Q5 0 5 2.3Q5 4 3.3 4.9Q2.4 5.5 2.4 7M2.4 9.9V10'],
  "'": [1, 'M.5 0V2.4'],
  '"': [3, 'M.5 0V2.4M2.5 0V2.4'],
  '-': [6, 'M.5 5.5H4.5'],
  _: [5.5, 'M0 11.5H5.5'],
  '+': [5, 'M2.5 3V8M0 5.5H5'],
  '=': [5, 'M0 4.2H5M0 7H5'],
  '*': [4, 'M2 0V4.6M0 1.2L4 3.4M4 1.2L0 3.4'],
  '/': [4, 'M0 11L4 0'],
  '\\': [4, 'M0 0L4 11'],
  '|': [1, 'M.5 0V12'],
  '<': [5, 'M5 3L0 5.5L5 8'],
  '>': [5, 'M0 3L5 5.5L0 8'],
  '(': [2, 'M2 0Q0 2.5 0 6Q0 9.5 2 12'],
  ')': [2, 'M0 0Q2 2.5 2 6Q2 9.5 0 12'],
  '[': [2, 'M2 0H0V12H2'],
  ']': [2, 'M0 0H2V12H0'],
  '#': [6, 'M2 0L1 10M5 0L4 10M0 3.2H6M0 6.8H6'],
  '%': [
    7,
    'M6.5 0L.5 10M1.6 0Q3.2 0 3.2 2Q3.2 4 1.6 4Q0 4 0 2Q0 0 1.6 0M5.4 6Q7 6 7 8Q7 10 5.4 10Q3.8 10 3.8 8Q3.8 6 5.4 6',
  ],
  '&': [6.5, 'M6.5 10L1.2 3Q.2 0 2.5 0Q4.7 0 4.3 2Q4 3.5 2 4.8Q0 6.2 0 7.7Q0 10 2.5 10Q5.5 10 6 5.8'],
  A: [7, 'M0 10L3.5 0L7 10M1.2 6.6H5.8'],
  B: [6.3, 'M3.3 4.7Q5.7 4.7 5.7 2.4Q5.7 0 3.3 0H0V10H3.5Q6.3 10 6.3 7.3Q6.3 4.7 3.5 4.7H0'],
  C: [6.7, 'M6.7 1.7Q5.7 0 3.7 0Q0 0 0 5Q0 10 3.7 10Q5.7 10 6.7 8.3'],
  D: [6.6, 'M0 0V10H2.7Q6.6 10 6.6 5Q6.6 0 2.7 0H0'],
  E: [5.5, 'M5.5 0H0V10H5.5M0 4.8H4.7'],
  F: [5.5, 'M5.5 0H0V10M0 4.8H4.7'],
  G: [6.8, 'M6.7 1.7Q5.7 0 3.7 0Q0 0 0 5Q0 10 3.7 10Q6 10 6.8 8.6V5.4H4'],
  H: [6.4, 'M0 0V10M6.4 0V10M0 4.8H6.4'],
  I: [1, 'M.5 0V10'],
  J: [4, 'M4 0V7.4Q4 10 2 10Q.4 10 0 8.6'],
  K: [6.4, 'M0 0V10M6 0L0 6.3M2.3 4L6.4 10'],
  L: [5.2, 'M0 0V10H5.2'],
  M: [8, 'M0 10V0L4 6.5L8 0V10'],
  N: [6.4, 'M0 10V0L6.4 10V0'],
  O: [7.4, 'M3.7 0Q7.4 0 7.4 5Q7.4 10 3.7 10Q0 10 0 5Q0 0 3.7 0'],
  P: [6.2, 'M0 10V0H3.4Q6.2 0 6.2 2.7Q6.2 5.5 3.4 5.5H0'],
  Q: [7.4, 'M3.7 0Q7.4 0 7.4 5Q7.4 10 3.7 10Q0 10 0 5Q0 0 3.7 0M4.8 7.5L7.4 10.7'],
  R: [6.4, 'M0 10V0H3.4Q6.2 0 6.2 2.7Q6.2 5.4 3.4 5.4H0M3.3 5.4L6.4 10'],
  S: [6.1, 'M5.8 1.7Q5 0 3 0Q.3 0 .3 2.4Q.3 4.4 3 4.9Q6.1 5.4 6.1 7.5Q6.1 10 3 10Q.8 10 0 8.2'],
  T: [6.6, 'M0 0H6.6M3.3 0V10'],
  U: [6.4, 'M0 0V6Q0 10 3.2 10Q6.4 10 6.4 6V0'],
  V: [6.8, 'M0 0L3.4 10L6.8 0'],
  W: [10, 'M0 0L2.4 10L5 1.5L7.6 10L10 0'],
  X: [6.4, 'M0 0L6.4 10M6.4 0L0 10'],
  Y: [6.4, 'M0 0L3.2 4.8L6.4 0M3.2 4.8V10'],
  Z: [6.2, 'M0 0H6L0 10H6.2'],
  a: [5, 'M5 4V10M5 7Q5 4 2.5 4Q0 4 0 7Q0 10 2.5 10Q5 10 5 7'],
  b: [5, 'M0 0V10M0 7Q0 4 2.5 4Q5 4 5 7Q5 10 2.5 10Q0 10 0 7'],
  c: [5, 'M5 5Q4.3 4 2.7 4Q0 4 0 7Q0 10 2.7 10Q4.3 10 5 9'],
  d: [5, 'M5 0V10M5 7Q5 4 2.5 4Q0 4 0 7Q0 10 2.5 10Q5 10 5 7'],
  e: [6, 'M.3 6.7H5.7Q5.7 4 3 4Q.3 4 .3 7Q.3 10 3 10Q4.7 10 5.5 8.8'],
  f: [3.7, 'M4 0H3.3Q1.5 0 1.5 2V10M0 4H3.6'],
  g: [5, 'M5 4V10.5Q5 13 2.5 13Q1 13 .3 12.2M5 7Q5 4 2.5 4Q0 4 0 7Q0 10 2.5 10Q5 10 5 7'],
  h: [5, 'M0 0V10M0 6.5Q.5 4 2.7 4Q5 4 5 6.5V10'],
  i: [1, 'M.5 4V10M.5 1.4V1.5'],
  j: [2, 'M1.5 4V11Q1.5 13 0 13M1.5 1.4V1.5'],
  k: [4.8, 'M0 0V10M4.5 4L0 7.7M1.8 6.3L4.8 10'],
  l: [2, 'M.5 0V8.4Q.5 10 2 10'],
  m: [8, 'M0 4V10M0 6Q.4 4 2.2 4Q4 4 4 6V10M4 6Q4.4 4 6.2 4Q8 4 8 6V10'],
  n: [5, 'M0 4V10M0 6.5Q.5 4 2.7 4Q5 4 5 6.5V10'],
  o: [5.5, 'M2.75 4Q5.5 4 5.5 7Q5.5 10 2.75 10Q0 10 0 7Q0 4 2.75 4'],
  p: [5, 'M0 4V13M0 7Q0 4 2.5 4Q5 4 5 7Q5 10 2.5 10Q0 10 0 7'],
  q: [5, 'M5 4V13M5 7Q5 4 2.5 4Q0 4 0 7Q0 10 2.5 10Q5 10 5 7'],
  r: [3, 'M0 4V10M0 7Q.4 4 3 4'],
  s: [4.7, 'M4.6 5Q4 4 2.4 4Q.3 4 .3 5.5Q.3 6.7 2.4 7Q4.7 7.3 4.7 8.5Q4.7 10 2.4 10Q.6 10 0 9'],
  t: [3.8, 'M1.5 1.5V8Q1.5 10 3 10H3.8M0 4H3.6'],
  u: [5, 'M0 4V7.5Q0 10 2.3 10Q4.5 10 5 7.5M5 4V10'],
  v: [5, 'M0 4L2.5 10L5 4'],
  w: [8, 'M0 4L2 10L4 4.5L6 10L8 4'],
  x: [5, 'M0 4L5 10M5 4L0 10'],
  y: [5.2, 'M0 4L2.7 10M5.2 4L2.7 10L2 11.8Q1.5 13 .3 13'],
  z: [4.9, 'M0 4H4.7L0 10H4.9'],
};

/** Replaces every other character. */
const UNKNOWN = [5, 'M0 0H5V10H0V0'] as const;

/** Pixels between characters. */
const GAP = 3;

/** Height of capitals and digits in pixels. */
export const TEXT_HEIGHT = 10;

/** Formats two significant digits in as few characters as possible: `0.35`, `12`, `3.1e-7`. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(2)));
  return Number(value.toPrecision(2)).toExponential().replace('+', '');
}

/** Returns the glyphs of a text, without accents. */
function glyphsOf(text: string): (readonly [width: number, path: string])[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '');
  return [...plain].map((character) => (Object.hasOwn(GLYPHS, character) ? GLYPHS[character] : UNKNOWN));
}

/** Returns the width of a text in pixels, `scale` times that of the glyphs. */
export function textWidth(text: string, scale = 1): number {
  const glyphs = glyphsOf(text);
  return scale * glyphs.reduce((sum, [width]) => sum + width + GAP, glyphs.length > 0 ? -GAP : 0);
}

/** Truncates a text to `most` pixels, with dots at the end if anything is omitted. */
export function fittedText(text: string, most: number, scale = 1): string {
  if (textWidth(text, scale) <= most) return text;
  const characters = [...text];
  while (characters.length > 0 && textWidth(`${characters.join('')}...`, scale) > most) characters.pop();
  return `${characters.join('').trimEnd()}...`;
}

/** Returns the strokes of a text whose capitals have their top left corner at (x, y), as x and y of their points. */
export function textStrokes(text: string, x: number, y: number, scale = 1): number[][] {
  let pen = x;
  return glyphsOf(text).flatMap(([width, path]) => {
    const lines = pathLines(path).map((points) =>
      points.map((coordinate, i) => coordinate * scale + (i % 2 === 0 ? pen : y)),
    );
    pen += (width + GAP) * scale;
    return lines;
  });
}

function pathLines(path: string): number[][] {
  const lines: number[][] = [];
  for (const [, command, text] of path.matchAll(/([MLHVQ])([^MLHVQ]*)/g)) {
    const [a, b, c, d] = text.split(' ').map(Number);
    if (command === 'M') lines.push([]);
    const points = lines[lines.length - 1];
    const [x, y] = points.slice(-2);
    if (command === 'Q') curveTo(points, a, b, c, d);
    else points.push(command === 'V' ? x : a, command === 'V' ? a : command === 'H' ? y : b);
  }
  return lines;
}
