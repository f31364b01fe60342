import t from 'tap';
import { drawCurves } from './draw_curves.js';
import type { RgbImage } from './rgb_image.js';

const RED = [255, 0, 0] as const;
const size = { width: 400, height: 200 };

/** Rows of a column with pixels of the given colour. */
function rowsOf({ width, height, data }: RgbImage, column: number, colour: readonly number[]): number[] {
  return Array.from({ length: height }, (_, y) => y).filter((y) =>
    colour.every((value, c) => Math.abs(data[(y * width + column) * 3 + c] - value) < 60),
  );
}

const middleOf = (rows: readonly number[]) => rows.reduce((sum, row) => sum + row, 0) / rows.length;

t.test('a falling curve falls; the ends of its range are the ends of the chart', async (t) => {
  const points = Array.from({ length: 11 }, (_, i) => [i, 10 - i]).flat();
  const image = drawCurves(
    [{ title: 'loss', curves: [{ name: 'train', points, colour: RED, width: 4 }] }],
    size,
  );
  t.same([image.width, image.height], [400, 200]);
  // The chart lies between columns 74 and 376, rows 40 and 166.
  const rows = [76, 225, 374].map((column) => middleOf(rowsOf(image, column, RED).filter((row) => row > 34)));
  t.ok(rows[0] < rows[1] && rows[1] < rows[2], rows.join());
  t.ok(Math.abs(rows[0] - 41) < 3 && Math.abs(rows[1] - 103) < 3 && Math.abs(rows[2] - 165) < 3, rows.join());
});

t.test('the same input gives the same pixels; panels stand below one another', async (t) => {
  const panels = ['a', 'b'].map((title) => ({ title, curves: [{ name: title, points: [0, 1, 5, 2] }] }));
  const [first, again] = [drawCurves(panels, size), drawCurves(panels, size)];
  t.equal(first.height, 400);
  t.ok(Buffer.from(first.data).equals(Buffer.from(again.data)));
});

t.test('gaps, single points, equal values, no values and many points', async (t) => {
  const gap = [0, 1, 1, 1, 2, Number.NaN, 3, Number.POSITIVE_INFINITY, 4, 1, 5, 1];
  const image = drawCurves(
    [{ title: 'x', curves: [{ name: 'x', points: gap, colour: RED }], includes: [0] }],
    size,
  );
  const red = (column: number) => rowsOf(image, column, RED).filter((row) => row > 38).length;
  t.ok(red(84) > 0 && red(360) > 0);
  t.equal(red(74 + 151), 0, 'nothing between points that are not finite');
  for (const points of [[], [3, 7], [0, 5, 9, 5], [Number.NaN, 1]]) {
    t.doesNotThrow(() => drawCurves([{ title: 'x', curves: [{ name: 'x', points }] }], size));
  }
  const many = Float64Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? i : Math.sin(i)));
  t.doesNotThrow(() => drawCurves([{ title: 'x', curves: [{ name: 'x', points: many }] }], size));
});

t.test('what cannot be drawn', async (t) => {
  t.throws(() => drawCurves([]), { message: 'drawCurves: expected at least one panel' });
  const panel = { title: 'x', curves: [] };
  t.throws(() => drawCurves([panel], { width: 100 }), {
    message: /100 x 340 pixels a chart, expected at least 200 x 120/,
  });
  t.throws(() => drawCurves([panel], { height: 0.5 }), {
    message: /drawCurves: height must be a whole number/,
  });
});
