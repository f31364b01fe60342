/**
 * Tests filled polygons: rectangles pixel by pixel, and invariances. Pixels from pycocotools:
 * `metrics/coco_fixtures.test.ts`.
 */
import fc from 'fast-check';
import t from 'tap';
import { encodePolygons } from './fill_polygons.js';
import { encodeRle } from './mask.js';

/** As fractions of the width and the height of the image. */
const coordinate = fc.double({ min: -1, max: 2, noNaN: true });
const polygon = fc
  .array(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 9 })
  .map((corners) => corners.flat());
const extent = fc.record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }) });

t.test('rectangles on the edges of pixels hold their pixels, and several their union', async () => {
  const rectangle = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(20), fc.nat(20));
  const rectangles = fc.array(rectangle, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(rectangles, extent, (numbers, image) => {
      const { width, height } = image;
      const rectangles = numbers.map(([x, y, w, h]) => [
        ...[x % (width + 1), y % (height + 1)],
        ...[1 + (w % (width + height)), 1 + (h % (width + height))],
      ]);
      const data = new Uint8Array(width * height);
      for (const [left, top, w, h] of rectangles) {
        for (let y = top; y < Math.min(top + h, height); y++) {
          for (let x = left; x < Math.min(left + w, width); x++) data[y * width + x] = 1;
        }
      }
      const polygons = rectangles.map(([x, y, w, h]) => [x, y, x + w, y, x + w, y + h, x, y + h]);
      const expected = encodeRle({ left: 0, top: 0, width, height, data }, image);
      return encodePolygons(polygons, image).counts === expected.counts;
    }),
  );
});

t.test('neither the first corner nor the direction of a polygon changes a pixel', async () => {
  fc.assert(
    fc.property(polygon, extent, fc.nat(8), (shares, image, turn) => {
      const polygon = shares.map((share) => share * (image.width + image.height));
      const corners = Array.from({ length: polygon.length / 2 }, (_, i) => polygon.slice(2 * i, 2 * i + 2));
      const begin = turn % corners.length;
      const turned = [...corners.slice(begin), ...corners.slice(0, begin)];
      const { counts } = encodePolygons([polygon], image);
      return [turned, turned.slice().reverse()].every(
        (corners) => encodePolygons([corners.flat()], image).counts === counts,
      );
    }),
  );
});

t.test('polygons that are none', async (t) => {
  const image = { width: 10, height: 10 };
  for (const [polygon, message] of [
    [[], /a polygon of 0 numbers, expected x and y of at least 3 corners/],
    [[1, 1, 2, 2], /a polygon of 4 numbers/],
    [[1, 1, 2, 2, 3, 3, 4], /a polygon of 7 numbers/],
    [[1, 1, 2, Number.NaN, 3, 3], /a polygon with a corner at NaN/],
    [[0, 0, 41, 0, 41, 1], /a polygon with a corner at 41, far from an image of 10 x 10 pixels/],
    [[0, 0, -21, 0, -21, 1], /a corner at -21/],
  ] as const) {
    t.throws(() => encodePolygons([polygon], image), { message });
  }
});
