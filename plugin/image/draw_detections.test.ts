import t from 'tap';
import type { Rgb } from './colour_map.js';
import { type DrawnDetection, drawDetections, placeLabels } from './draw_detections.js';
import type { RgbImage } from './rgb_image.js';

const BLACK = { width: 112, height: 56, data: new Uint8Array(112 * 56 * 3) };
const COLOURS: readonly Rgb[] = [
  [255, 0, 0],
  [0, 255, 0],
];

function colourAt({ data, width }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

/** The left half of a box of 20 x 20 pixels. */
const DETECTION: DrawnDetection = {
  box: [40, 20, 60, 40],
  label: 'cat',
  index: 1,
  score: 0.876,
  mask: {
    left: 40,
    top: 20,
    width: 20,
    height: 20,
    data: new Uint8Array(400).map((_, i) => (i % 20 < 10 ? 1 : 0)),
  },
};

t.test('a box, its mask with an outline, and a label in the colour of the class', async (t) => {
  const drawn = drawDetections({ image: BLACK, detections: [DETECTION], colours: COLOURS });
  t.same([drawn.width, drawn.height], [1120, 560]);
  t.same(colourAt(drawn, 550, 350), [0, 0, 0], 'inside the box, outside of the mask');
  t.same(colourAt(drawn, 450, 350), [0, Math.round(0.42 * 255), 0], 'inside the mask');
  for (const [x, y] of [
    [400, 350],
    [600, 350],
    [560, 200],
    [500, 400],
  ]) {
    t.same(colourAt(drawn, x, y), [0, 255, 0], `the box at ${x}, ${y}`);
  }
  t.same(colourAt(drawn, 500, 300), [0, 255, 0], 'the outline');
  t.same(colourAt(drawn, 404, 178), [0, 255, 0], 'the plate of the label, above the box');
});

/** Whether all rectangles are inside the image and none overlaps another. */
function areApart(places: ReturnType<typeof placeLabels>, width: number, height: number): boolean {
  const given = places.filter((place) => place !== undefined);
  return given.every((a, i) => {
    const isInside = a.left >= 0 && a.top >= 0 && a.left + a.width <= width && a.top + a.height <= height;
    return (
      isInside &&
      given.slice(i + 1).every((b) => {
        const x = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
        const y = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
        return x <= 0 || y <= 0;
      })
    );
  });
}

t.test('labels keep clear of one another and stay inside the image', async (t) => {
  const corners = [
    [-30, -30, 40, 40],
    [780, 580, 900, 700],
    [790, -5, 830, 60],
  ] as const;
  const crowd = Array.from(
    { length: 60 },
    (_, i) => [100 + 7 * i, 120 + 5 * i, 260 + 7 * i, 240 + 5 * i] as const,
  );
  const boxes = [...corners, ...crowd, [100, 120, 260, 240], [100, 120, 260, 240]] as const;
  const widths = boxes.map((_, i) => 60 + ((i * 37) % 90));
  const places = placeLabels(boxes, widths, { width: 800, height: 600 });
  t.equal(places.length, boxes.length);
  t.ok(areApart(places, 800, 600));
  t.ok(places.filter(Boolean).length >= 50, `${places.filter(Boolean).length} of ${boxes.length} have one`);
  const first = placeLabels([[300, 200, 400, 300]], [80], { width: 800, height: 600 })[0];
  t.match(first, { left: 300, width: 80 });
  t.equal((first?.top ?? 0) + (first?.height ?? 0), 200, 'on the upper edge of the box');
  t.same(placeLabels([[0, 0, 5, 5]], [90], { width: 60, height: 600 }), [undefined], 'no room at all');
});

t.test('the same input gives the same pixels; an image without objects is the photograph', async (t) => {
  const drawing = { image: BLACK, detections: [DETECTION, { ...DETECTION, index: 0 }], colours: COLOURS };
  t.ok(Buffer.from(drawDetections(drawing).data).equals(drawDetections(drawing).data));
  t.ok(drawDetections({ ...drawing, detections: [] }).data.every((value) => value === 0));
});

t.test('what does not fit is refused', async (t) => {
  const mask = { left: 100, top: 0, width: 20, height: 1, data: new Uint8Array(20) };
  for (const [change, message] of [
    [{ index: 2 }, /class 2 has no colour, 2 were given/],
    [{ box: [0, 0, Number.NaN, 1] as const }, /box 0 is \[0,0,NaN,1\], expected four numbers/],
    [{ mask }, /mask 0 has 20 pixels of 20x1 at 100,0, expected a part of the image of 112x56/],
    [{ mask: { ...mask, left: 0, height: 2 } }, /mask 0 has 20 pixels of 20x2/],
  ] as const) {
    const detections = [{ ...DETECTION, ...change }];
    t.throws(() => drawDetections({ image: BLACK, detections, colours: COLOURS }), { message });
  }
});
