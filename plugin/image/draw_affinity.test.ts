import t from 'tap';
import { affinityHeat, drawAffinity } from './draw_affinity.js';
import type { RgbImage } from './rgb_image.js';

/** Left half black, right half white, 40 x 20. */
const image = { width: 40, height: 20, data: new Uint8Array(2400).map((_, i) => (i % 120 < 60 ? 0 : 255)) };
const grid = { height: 4, width: 8 };
const values = new Float32Array(32).map((_, v) => 10 ** (-4 * (v % 8)));
const drawing = { image, grid, values, anchor: { x: 2, y: 10 } };

function pixels(image: RgbImage) {
  const { width, data } = image;
  const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
  return { ...image, at };
}

const sum = (colour: number[]) => colour.reduce((a, b) => a + b, 0);

t.test('hot is bright, cold lets the grey photograph through', async (t) => {
  const { width, height, at } = pixels(drawAffinity(drawing));
  t.same([width, height], [1120, 560]);
  const row = [70, 210, 350, 490].map((x) => sum(at(x, 100)));
  t.same(
    row,
    [...row].sort((a, b) => b - a),
    'brightness falls with the values, over 16 powers of ten',
  );
  t.ok(row[0] > 3 * row[3], String(row));
  const cold = at(1050, 40);
  t.ok(cold.every((v) => v > 100) && Math.max(...cold) - Math.min(...cold) < 12, `nearly grey: ${cold}`);
});

t.test('a monotone change of the values changes nothing but the numbers at the bar', async (t) => {
  const a = pixels(drawAffinity(drawing));
  const b = pixels(drawAffinity({ ...drawing, values: values.map((v) => v ** 0.25 * 7) }));
  for (const [x, y] of [
    [70, 100],
    [400, 300],
    [700, 40],
    [1000, 200],
  ])
    t.same(a.at(x, y), b.at(x, y));
});

t.test('the heat map alone has the colours of the drawing', async (t) => {
  const heat = affinityHeat(values);
  t.equal(heat.length, 4 * 32);
  const { at } = pixels(drawAffinity(drawing));
  for (const [column, x] of [
    [0, 10],
    [1, 210],
    [5, 770],
  ]) {
    const [red, green, blue, alpha] = heat.subarray(4 * (16 + column), 4 * (16 + column) + 4);
    const below = x < 560 ? 0 : 153; // the dimmed photograph
    const drawn = at(x, 300);
    for (const [c, colour] of [red, green, blue].entries()) {
      const expected = below + (alpha / 255) * (colour - below);
      t.ok(Math.abs(drawn[c] - expected) < 12, `column ${column}: ${drawn[c]} and ${expected}`);
    }
  }
  const equal = affinityHeat(new Float32Array(4));
  t.same([...equal.subarray(0, 4)], [...equal.subarray(12)], 'equal values have one colour');
});

t.test('the anchor is marked where it is, and the bar runs from hot to cold', async (t) => {
  const { at } = pixels(drawAffinity(drawing));
  const [x, y] = [2.5 * 28, 10.5 * 28];
  for (const [dx, dy] of [
    [16, 0],
    [-16, 0],
    [0, 16],
    [0, -16],
    [20, 0],
    [0, -20],
  ]) {
    const found = [
      at(x + dx, y + dy),
      at(x + dx - 1, y + dy),
      at(x + dx, y + dy - 1),
      at(x + dx - 1, y + dy - 1),
    ];
    t.ok(
      found.some((colour) => Math.min(...colour) >= 250),
      `white at ${dx}, ${dy}`,
    );
  }
  const [left, top, bottom] = [1120 - 110 + 8, 560 - 180 - 34, 560 - 34 - 1];
  t.same(at(left, top), [255, 252, 224]);
  t.same(at(left, bottom), [9, 6, 28]);
});

t.test('zeros are the coldest, however many there are', async (t) => {
  const { at } = pixels(drawAffinity({ ...drawing, values: new Float32Array(32).fill(1, 0, 1) }));
  const half = Math.round(0.25 * 9);
  t.same(at(420, 40), [half, Math.round(0.25 * 6), Math.round(0.25 * 28)], 'cold colour over black');
});

t.test('the same input gives the same bytes; tiny and one-cell images are drawn', async (t) => {
  t.ok(Buffer.from(drawAffinity(drawing).data).equals(drawAffinity(drawing).data));
  const strip = { width: 100, height: 1, data: new Uint8Array(300) };
  const values = Float32Array.of(3);
  const png = drawAffinity({
    image: strip,
    grid: { height: 1, width: 1 },
    values,
    anchor: { x: 99, y: 0 },
  });
  t.same([pixels(png).width, pixels(png).height], [1120, 11]);
});

t.test('what does not fit is refused', async (t) => {
  for (const [change, message] of [
    [{ values: new Float32Array(31) }, /a grid of 4x8 has 32 values, got 31/],
    [
      { values: values.map((v, i) => (i === 5 ? -v : v)) },
      /values\[5\] = -.*, expected finite and at least 0/,
    ],
    [{ values: values.map((v, i) => (i === 6 ? Number.NaN : v)) }, /values\[6\] = NaN/],
    [{ anchor: { x: 40, y: 0 } }, /anchor 40,0 is outside the image of 40x20/],
    [{ anchor: { x: 0, y: -1 } }, /anchor 0,-1/],
    [{ grid: { height: 4, width: 8.5 } }, /grid.width must be/],
  ] as const) {
    t.throws(() => drawAffinity({ ...drawing, ...change }), { message }, String(message));
  }
});
