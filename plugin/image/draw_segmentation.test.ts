import t from 'tap';
import { drawSegmentation, type SegmentationDrawing } from './draw_segmentation.js';
import type { RgbImage } from './rgb_image.js';

const GREY = { width: 40, height: 20, data: new Uint8Array(2400).fill(128) };
/** The left half is class 1, the right one class 0. */
const IMAGE: SegmentationDrawing = {
  image: GREY,
  classMap: Uint16Array.from({ length: 800 }, (_, i) => (i % 40 < 20 ? 1 : 0)),
  classes: [
    { index: 0, label: 'sky', share: 0.5 },
    { index: 1, label: 'tree', share: 0.5 },
  ],
  colours: [
    [0, 0, 255],
    [0, 255, 0],
  ],
};

function colourAt({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

t.test('each class has its colour over the photograph, and a border where it ends', async (t) => {
  const drawn = drawSegmentation(IMAGE);
  t.equal(drawn.width, 1120);
  t.ok(drawn.height > 560);
  const [left, right, border] = [200, 900, 559].map((x) => colourAt(drawn, x, 300));
  const mixed = (value: number) => Math.round(122 + 0.58 * (value - 122));
  t.same(
    [left, right],
    [
      [mixed(0), mixed(255), mixed(0)],
      [mixed(0), mixed(0), mixed(255)],
    ],
  );
  t.ok(border[1] < left[1] * 0.6, `a dark line: ${border}`);
  t.ok(Buffer.from(drawSegmentation(IMAGE).data).equals(drawn.data), 'the same input gives the same pixels');
});

t.test('the legend has a swatch and a text for each class', async (t) => {
  const drawn = drawSegmentation(IMAGE);
  const rows = Array.from({ length: drawn.height - 560 }, (_, y) => 560 + y);
  const swatches = rows.map((y) => colourAt(drawn, 24, y).join());
  const blue = swatches.indexOf('0,0,255');
  t.ok(blue > 0, 'in the order of the shares');
  const columns = Array.from({ length: 1120 }, (_, x) => colourAt(drawn, x, 560 + blue + 4).join());
  t.ok(columns.includes('0,255,0'), 'the second one in the next column');
  const ink = rows.flatMap((y) => Array.from({ length: 60 }, (_, x) => colourAt(drawn, 41 + x, y)[0]));
  t.ok(
    ink.some((value) => value > 200),
    'text beside it',
  );
});

t.test('without its legend it is the photograph alone', async (t) => {
  const [all, alone] = [drawSegmentation(IMAGE), drawSegmentation({ ...IMAGE, legend: false })];
  t.same([alone.width, alone.height], [1120, 560]);
  t.ok(Buffer.from(alone.data).equals(all.data.subarray(0, alone.data.length)));
});

t.test('many classes, narrow images', async (t) => {
  const many = Array.from({ length: 90 }, (_, i) => ({ index: i % 2, label: `class ${i}`, share: 1 / 90 }));
  const drawn = drawSegmentation({ ...IMAGE, classes: many });
  t.equal(drawn.height, 560 + 8 * 26 + 32, '31 classes and one line for the others, in four columns');
  const narrow = {
    image: { width: 2, height: 80, data: new Uint8Array(480) },
    classMap: new Uint16Array(160),
  };
  const strip = drawSegmentation({ ...IMAGE, ...narrow });
  t.same([strip.width, strip.height], [294, 1120 + 2 * 26 + 32]);
  t.same(colourAt(strip, 5, 5), [18, 18, 24], 'a plate beside it');
});

t.test('what does not fit is refused', async (t) => {
  for (const [change, message] of [
    [{ classMap: new Uint16Array(3) }, /an image of 40x20 has 800 pixels, got 3 in classMap/],
    [{ classMap: new Uint16Array(800).fill(2) }, /class 2 has no colour, 2 were given/],
    [{ classes: [{ index: 7, label: 'x', share: 1 }] }, /class 7 has no colour/],
  ] as const) {
    t.throws(() => drawSegmentation({ ...IMAGE, ...change }), { message });
  }
});
