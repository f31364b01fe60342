import t from 'tap';
import { drawConfusion } from './draw_confusion.js';
import type { RgbImage } from './rgb_image.js';

const pixel = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
];
const NIGHT = [9, 6, 28];
const CREAM = [255, 252, 224];
const WHITE = [255, 255, 255];

t.test('rows are true classes, columns predicted ones; colours are shares of a row', async (t) => {
  const counts = [5, 0, 0, 0, 0, 3, 0, 0, 0];
  const image = drawConfusion({ counts, names: ['a', 'b', 'c'] });
  // The square of 840 pixels ends 30 pixels from the right; corners of cells have no numbers in them.
  const start = image.width - 30 - 840;
  const corner = (row: number, column: number) =>
    pixel(image, start + 280 * column + 3, start + 280 * row + 3);
  t.same([corner(0, 0), corner(0, 1), corner(0, 2)], [CREAM, NIGHT, NIGHT]);
  t.same([corner(1, 0), corner(1, 1), corner(1, 2)], [NIGHT, NIGHT, CREAM]);
  t.same([corner(2, 0), corner(2, 2)], [WHITE, WHITE], 'a class without images');
  const half = drawConfusion({ counts: [1, 1, 0, 9], names: ['a', 'b'] });
  const at = half.width - 30 - 840 + 3;
  t.same(pixel(half, at, at), pixel(half, at + 420, at));
  t.notSame(pixel(half, at, at), CREAM);
});

t.test('the same input gives the same pixels; a pixel a class where there are many', async (t) => {
  const names = Array.from({ length: 1000 }, (_, i) => `class ${i}`);
  const counts = new Float64Array(1_000_000);
  for (let i = 0; i < 1000; i++) counts[i * 1000 + ((i * 7) % 1000)] = 1;
  const [first, again] = [drawConfusion({ counts, names }), drawConfusion({ counts, names })];
  t.ok(Buffer.from(first.data).equals(Buffer.from(again.data)));
  const start = first.width - 30 - 1000;
  for (const i of [0, 1, 500, 999]) {
    t.same(pixel(first, start + ((i * 7) % 1000), start + i), CREAM);
    t.same(pixel(first, start + ((i * 7 + 1) % 1000), start + i), NIGHT);
  }
});

t.test('what is not a confusion matrix', async (t) => {
  for (const [counts, names, message] of [
    [[1], [], /0 classes, expected 1 to 4096/],
    [[1], Array(5000).fill('x'), /5000 classes/],
    [[1, 2, 3], ['a', 'b'], /3 counts, expected 2 x 2/],
    [[1, -1, 0, 0], ['a', 'b'], /count 1 is -1/],
    [[1, 0, Number.NaN, 0], ['a', 'b'], /count 2 is NaN/],
  ] as const) {
    t.throws(() => drawConfusion({ counts, names }), { message });
  }
});
