import t from 'tap';
import {
  COLOUR_STEPS,
  classColours,
  colourIndex,
  DEPTH_COLOURS,
  HEAT_COLOURS,
  lightness,
  type Rgb,
  sampleColours,
} from './colour_map.js';

const sampleAt = (samples: Uint8Array, i: number) =>
  [...samples.subarray(3 * i, 3 * i + 3)] as unknown as Rgb;

t.test('lightness runs one way from end to end', async (t) => {
  for (const [points, direction] of [
    [DEPTH_COLOURS, -1],
    [HEAT_COLOURS, 1],
  ] as const) {
    const samples = sampleColours(points);
    t.equal(samples.length, COLOUR_STEPS * 3);
    t.same(sampleAt(samples, 0), points[0]);
    t.same(sampleAt(samples, COLOUR_STEPS - 1), points[points.length - 1]);
    let wrong = 0;
    for (let i = 1; i < COLOUR_STEPS; i++) {
      const step = lightness(sampleAt(samples, i)) - lightness(sampleAt(samples, i - 1));
      // Rounding to 8 bits may change the lightness slightly.
      if (step * direction < -0.004) wrong++;
    }
    t.equal(wrong, 0);
  }
});

t.test('OKLab: published lightness of primaries, and greys stay grey', async (t) => {
  t.ok(Math.abs(lightness([255, 255, 255]) - 1) < 1e-6);
  t.equal(lightness([0, 0, 0]), 0);
  t.ok(Math.abs(lightness([255, 0, 0]) - 0.628) < 1e-3);
  const greys = sampleColours([
    [0, 0, 0],
    [255, 255, 255],
  ]);
  const coloured = Array.from({ length: COLOUR_STEPS }, (_, i) => sampleAt(greys, i)).filter(
    ([r, g, b]) => r !== g || g !== b,
  );
  t.same(coloured, []);
});

t.test('colourIndex clamps', async (t) => {
  t.same([-1, 0, 0.5, 1, 7].map(colourIndex), [0, 0, 128, 255, 255]);
});

t.test('classes have colours of their own, the same for any number of classes', async (t) => {
  const colours = classColours(150);
  t.same(classColours(7), colours.slice(0, 7));
  const distance = (a: Rgb, b: Rgb) => Math.max(...a.map((value, c) => Math.abs(value - b[c])));
  for (const [i, colour] of colours.slice(0, 40).entries()) {
    t.ok(lightness(colour) > 0.5, `class ${i} stands out on black`);
    const nearest = Math.min(...colours.slice(0, i).map((other) => distance(colour, other)));
    t.ok(nearest >= 16, `class ${i}: ${nearest}`);
  }
});
