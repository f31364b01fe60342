import t from 'tap';
import { drawTree, MAX_DRAWN_VERTICES } from './draw_tree.js';
import type { RgbImage } from './rgb_image.js';

const grey = (width: number, height: number) => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(100),
});

/** 2 x 3 grid, root at the upper left: along the first row, then down at its end and back. */
const path = {
  image: grey(30, 20),
  grid: { height: 2, width: 3 },
  order: Int32Array.of(0, 1, 2, 5, 4, 3),
  parent: Int32Array.of(0, 0, 1, 2, 3, 4),
};

function pixels(image: RgbImage) {
  const { width, data } = image;
  const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
  return { ...image, at };
}

t.test('edges are where the tree has them, and only there', async (t) => {
  const { width, height, at } = pixels(drawTree(path));
  t.same([width, height], [1120, 747]);
  const background = at(5, 5);
  t.same(background, [48, 48, 48], 'dimmed photograph');
  const centre = (x: number, y: number) => [
    Math.round(((x + 0.5) * 1120) / 3),
    Math.round((y + 0.5) * 373.5),
  ];
  const between = ([ax, ay, bx, by]: readonly number[]) => {
    const [a, b] = [centre(ax, ay), centre(bx, by)];
    return at((a[0] + b[0]) >> 1, (a[1] + b[1]) >> 1);
  };
  for (const edge of [
    [0, 0, 1, 0],
    [1, 0, 2, 0],
    [2, 0, 2, 1],
    [2, 1, 1, 1],
    [1, 1, 0, 1],
  ] as const) {
    t.notSame(between(edge), background, `edge ${edge}`);
  }
  for (const none of [
    [0, 0, 0, 1],
    [1, 0, 1, 1],
  ] as const) {
    t.same(between(none), background, `no edge ${none}`);
  }
});

t.test('colour tells depth, width tells how much drains', async (t) => {
  const { at } = pixels(drawTree(path));
  const first = at(467, 187);
  const last = at(280, 560);
  t.ok(first[0] > 240 && first[1] > 180, `near the root it is warm: ${first}`);
  t.ok(last[2] > 180 && last[0] < 140, `far away it is blue: ${last}`);
  const widthAt = (x: number, row: number) => {
    let count = 0;
    for (let y = row * 373; y < (row + 1) * 373; y++) if (Math.max(...at(x, y)) > 150) count++;
    return count;
  };
  t.ok(widthAt(373, 0) > 1.5 * widthAt(300, 1), `${widthAt(373, 0)} and ${widthAt(300, 1)} pixels`);
});

t.test('colours tell a value of the edges instead, by rank, the largest light', async (t) => {
  const edgeValues = Float32Array.of(9, -1, -1, -1, -1, 0.5);
  const { at } = pixels(drawTree({ ...path, edgeValues }));
  t.ok(at(467, 187)[2] > 180, 'the smallest is blue, though near the root');
  const last = at(280, 560);
  t.ok(last[0] > 240 && last[1] > 230, `the largest is cream, though far away: ${last}`);
});

t.test('the root is marked, wherever it is', async (t) => {
  const { at } = pixels(
    drawTree({
      ...path,
      order: Int32Array.of(4, 1, 3, 5, 0, 2),
      parent: Int32Array.of(0, 0, 0, 0, 1, 1),
    }),
  );
  t.same(at(560, 560), [10, 10, 20], 'dark middle');
  t.same(at(560 + 112, 560 - 20), [255, 255, 255], 'white ring');
});

t.test('the same input gives the same bytes, one vertex is a tree too', async (t) => {
  t.ok(Buffer.from(drawTree(path).data).equals(drawTree(path).data));
  const zero = Int32Array.of(0);
  const one = drawTree({ image: grey(1, 9), grid: { height: 1, width: 1 }, order: zero, parent: zero });
  const { width, height } = pixels(one);
  t.same([width, height], [124, 1120]);
});

t.test('what is not a tree is refused', async (t) => {
  for (const [change, message] of [
    [{ order: Int32Array.of(0, 1) }, /a grid of 2x3 has 6 vertices, got 2 in order and 6 in parent/],
    [{ order: Int32Array.of(0, 1, 2, 5, 4, 4) }, /order\[5\] = 4 is not a vertex that comes once/],
    [{ order: Int32Array.of(0, 1, 2, 5, 4, 6) }, /order\[5\] = 6/],
    [{ order: Int32Array.of(0, 1, 2, 5, 4, -1) }, /order\[5\] = -1/],
    [{ parent: Int32Array.of(0, 0, 2, 2, 3, 4) }, /parent\[2\] = 2 is not an earlier position/],
    [{ parent: Int32Array.of(-1, 0, 1, 2, 3, 4) }, /parent\[0\] = -1/],
    [{ grid: { height: 0, width: 6 } }, /grid.height must be a whole number of at least 1, got 0/],
    [{ image: { ...path.image, width: 31 } }, /RGB image of 31x20/],
    [{ edgeValues: new Float32Array(5) }, /expected 6 values of edges, one a vertex, got 5/],
    [{ edgeValues: new Float32Array(6).fill(Number.NaN, 2) }, /edgeValues\[2\] is NaN/],
  ] as const) {
    t.throws(() => drawTree({ ...path, ...change }), { message }, String(message));
  }
});

t.test('a tree of many vertices is drawn, up to the bound', async (t) => {
  const comb = (width: number, height: number) => {
    // Along the first row, then down every column.
    const order = Int32Array.from({ length: width * height }, (_, v) => v);
    const parent = order.map((v) => (v === 0 ? 0 : v < width ? v - 1 : v - width));
    return { image: grey(30, 20), grid: { width, height }, order, parent };
  };
  const { at } = pixels(drawTree(comb(900, 600)));
  const row = Array.from({ length: 1120 }, (_, x) => at(x, 700)).filter(([red]) => red !== 48);
  t.ok(row.length > 700, `${row.length} of 1120 pixels of a row far from the root are drawn on`);
  const wide = comb(MAX_DRAWN_VERTICES + 1, 1);
  t.throws(() => drawTree(wide), { message: /has 4194305 vertices, at most 4194304 are drawn/ });
});
