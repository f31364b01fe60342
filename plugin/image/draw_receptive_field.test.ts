import t from 'tap';
import { HEAT_COLOURS } from './colour_map.js';
import { contributionSquares } from './contributions.js';
import { drawReceptiveField, receptiveFieldHeat } from './draw_receptive_field.js';
import type { RgbImage } from './rgb_image.js';

const [COLDEST, HOTTEST] = [HEAT_COLOURS[0], HEAT_COLOURS[HEAT_COLOURS.length - 1]].map((colour) => [
  ...colour,
]);

/** Decreases from the centre outwards. */
const size = 28;
const values = Float32Array.from({ length: size * size }, (_, i) => {
  const [y, x] = [Math.floor(i / size) - 14, (i % size) - 14];
  return 9 * Math.exp(-(x * x + y * y) / 30);
});

function at({ width, data }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

t.test('hot in the middle, cold at the border', async (t) => {
  const plain = drawReceptiveField({ size, values, marks: false });
  t.same([plain.width, plain.height], [1120, 1120]);
  t.same(at(plain, 14.5 * 40, 14.5 * 40), HOTTEST);
  t.same(at(plain, 2, 2), COLDEST);
  const brightness = [14, 18, 22, 26].map((cell) =>
    at(plain, (cell + 0.5) * 40, 14.5 * 40).reduce((a, b) => a + b),
  );
  t.same(
    brightness,
    [...brightness].sort((a, b) => b - a),
  );
});

t.test('squares are outlined where they are, and the bar runs from hot to cold', async (t) => {
  const drawing = drawReceptiveField({ size, values });
  for (const { side } of contributionSquares({ size, values })) {
    const edge = Math.round((14.5 - side / 2) * 40);
    const found = [-1, 0, 1].map((d) => at(drawing, edge + d, 700));
    t.ok(
      found.some((colour) => Math.min(...colour) > 180),
      `${side}: ${found}`,
    );
  }
  const left = 1120 - 110 + 8;
  t.same(at(drawing, left, 1120 - 180 - 34), HOTTEST);
  t.same(at(drawing, left, 1120 - 34 - 1), COLDEST);
});

t.test('the root shows what is small beside the largest', async (t) => {
  const [log, root] = (['log', 'root'] as const).map((scale) => receptiveFieldHeat({ size, values }, scale));
  t.equal(log.length, 4 * size * size);
  const pixel = (heat: Uint8ClampedArray, i: number) => [...heat.subarray(4 * i, 4 * i + 4)];
  const [middle, edge] = [14 * size + 14, 14 * size + 3];
  t.same(pixel(log, middle), [...HOTTEST, 255]);
  t.same(pixel(root, middle), [...HOTTEST, 255]);
  const light = (heat: Uint8ClampedArray) => pixel(heat, edge).reduce((a, b) => a + b);
  t.ok(light(root) > 1.3 * light(log));
});

t.test('any size is drawn, the same each time; nothing contributes is cold', async (t) => {
  for (const side of [1, 3, 1500]) {
    const map = { size: side, values: new Float32Array(side * side).fill(2) };
    const { data } = drawReceptiveField(map);
    t.equal(data.length, 1120 * 1120 * 3);
    if (side === 3) t.ok(Buffer.from(data).equals(drawReceptiveField(map).data));
  }
  const nothing = drawReceptiveField({ size: 3, values: new Float32Array(9), marks: false });
  t.same(at(nothing, 560, 560), COLDEST);
  t.throws(() => drawReceptiveField({ size: 3, values: new Float32Array(8) }), {
    message: 'drawReceptiveField: a square of 3 pixels has 9 values, got 8',
  });
  t.throws(() => receptiveFieldHeat({ size: 3, values: new Float32Array(9).fill(-1) }), {
    message: 'receptiveFieldHeat: values[0] = -1, expected finite and at least 0',
  });
});
