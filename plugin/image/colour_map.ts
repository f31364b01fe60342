/**
 * Colour maps from a few control points. Colours between them are interpolated linearly in OKLab (B. Ottosson, "A perceptual
 * color space for image processing", 2020), so that equal steps look equal and lightness changes evenly.
 */

/** Red, green, blue: sRGB, 0..255. */
export type Rgb = readonly [number, number, number];

/** From the root outwards: cream, gold, coral, magenta, violet, blue. Lightness decreases; all are visible on black. */
export const DEPTH_COLOURS: readonly Rgb[] = [
  [255, 248, 214],
  [255, 209, 102],
  [255, 133, 92],
  [226, 82, 140],
  [160, 92, 218],
  [80, 108, 226],
];

/** From lowest to highest: night, violet, crimson, orange, cream. Lightness increases. */
export const HEAT_COLOURS: readonly Rgb[] = [
  [9, 6, 28],
  [58, 20, 108],
  [136, 32, 122],
  [214, 62, 82],
  [248, 140, 52],
  [252, 214, 112],
  [255, 252, 224],
];

/** Lightness and chroma in OKLab of generated class colours: five kinds, so that similar hues differ. */
const CLASS_KINDS = [
  [0.72, 0.15],
  [0.56, 0.17],
  [0.86, 0.1],
  [0.64, 0.08],
  [0.79, 0.17],
] as const;

/** Hues of successive classes are a golden angle apart: the first n are evenly spread for every n. */
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

/** Samples per map: finer than an 8-bit display can show. */
export const COLOUR_STEPS = 256;

/** Samples a map: uint8 [COLOUR_STEPS, 3] from the first to the last control point, evenly spaced. */
export function sampleColours(points: readonly Rgb[]): Uint8Array {
  const lab = points.map(toOklab);
  const samples = new Uint8Array(COLOUR_STEPS * 3);
  for (let i = 0; i < COLOUR_STEPS; i++) {
    const at = (i / (COLOUR_STEPS - 1)) * (points.length - 1);
    const below = Math.min(Math.floor(at), points.length - 2);
    const part = at - below;
    const mixed = lab[below].map((value, c) => value + (lab[below + 1][c] - value) * part);
    samples.set(fromOklab(mixed), i * 3);
  }
  return samples;
}

/** Generates class colours for a model without a palette: a class has the same colour whatever the number of classes. */
export function classColours(count: number): Rgb[] {
  return Array.from({ length: count }, (_, i) => {
    const [light, chroma] = CLASS_KINDS[i % CLASS_KINDS.length];
    const hue = i * GOLDEN_ANGLE;
    const [red, green, blue] = fromOklab([light, chroma * Math.cos(hue), chroma * Math.sin(hue)]);
    return [red, green, blue];
  });
}

/** Returns the index of the sample for `t`, clamped to 0..1. */
export function colourIndex(t: number): number {
  return Math.round(Math.min(1, Math.max(0, t)) * (COLOUR_STEPS - 1));
}

/** Returns the rank of each value, scaled to 0..1; equal values share the lowest. */
export function ranksOf(values: Float32Array): Float64Array {
  const sorted = values.slice().sort(); // sorting numbers is ten times as fast as sorting indices
  return Float64Array.from(values, (value) => {
    let [from, to] = [0, sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (sorted[middle] < value) from = middle + 1;
      else to = middle;
    }
    return from / Math.max(1, values.length - 1);
  });
}

/** Returns the OKLab lightness, 0..1, of an sRGB colour. */
export function lightness(colour: Rgb): number {
  return toOklab(colour)[0];
}

function toOklab(colour: Rgb): number[] {
  const [r, g, b] = colour.map((v) => {
    const x = v / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: number[]): number[] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((x) => {
    const encoded = x <= 0.0031308 ? x * 12.92 : 1.055 * x ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, encoded)));
  });
}
