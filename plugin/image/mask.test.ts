import fc from 'fast-check';
import t from 'tap';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { decodeRle, encodeRle, expandCounts, type MaskBitmap, maskPolygons } from './mask.js';

const PASTE = 'dense/ops_paste.safetensors';
const MASK_RCNN = 'dense/mask_rcnn_tiny_expected.safetensors';

/** Masks of an image, most significant bit first. */
function unpacked(packed: ArrayLike<number>, width: number, height: number): MaskBitmap {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (packed[i >> 3] >> (7 - (i & 7))) & 1);
  return { left: 0, top: 0, width, height, data };
}

/** Crops a mask to the smallest rectangle that contains it, or to its first pixel if it is empty. */
function cropped({ width, data }: MaskBitmap): MaskBitmap {
  const on = Array.from(data.keys()).filter((i) => data[i] === 1);
  const [xs, ys] = [on.map((i) => i % width), on.map((i) => Math.floor(i / width))];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const part = { left, top, width: Math.max(...xs) - left + 1, height: Math.max(...ys) - top + 1 };
  const cut = Uint8Array.from({ length: part.width * part.height }, (_, i) => {
    return data[(top + Math.floor(i / part.width)) * width + left + (i % part.width)];
  });
  return { ...part, data: cut };
}

t.test("run lengths are COCO's", async (t) => {
  let compared = 0;
  for (const [file, packed, lengths] of [
    [PASTE, 'binary_packed', 'rle'],
    [MASK_RCNN, 'masks_packed.94x126', 'rle.94x126'],
    [MASK_RCNN, 'masks_packed.pipe', 'rle.pipe'],
  ]) {
    if (!fixturePath(file)) continue; // not in the repository
    const fixture = readFixture(file);
    const { shape, values } = fixture.tensor(packed);
    const expected: { size: [number, number]; counts: string }[] = JSON.parse(fixture.metadata[lengths]);
    for (const [i, rle] of expected.entries()) {
      const [height, width] = rle.size;
      const mask = unpacked(values.subarray(i * shape[1]), width, height);
      t.same(encodeRle(mask, mask), rle, `${lengths} ${i}`);
      t.same(encodeRle(cropped(mask), mask), rle, `${lengths} ${i}, of a part of the image`);
      t.same(decodeRle(rle), mask.data, `${lengths} ${i}, back`);
      t.same(decodeRle({ size: rle.size, counts: expandCounts(rle.counts) }), mask.data, 'as numbers');
      compared++;
    }
  }
  t.equal(compared, fixturePath(MASK_RCNN) ? 18 : 8);
});

/** The pixels whose centres lie inside by the even-odd rule. */
function filled(polygons: number[][], { left, top, width, height }: MaskBitmap): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [left + (i % width) + 0.5, top + Math.floor(i / width) + 0.5];
    let crossings = 0;
    for (const points of polygons) {
      for (let p = 0; p < points.length; p += 2) {
        const q = (p + 2) % points.length;
        const isBetween = points[p + 1] < y !== points[q + 1] < y;
        if (isBetween && points[p] > x) crossings++; // sides are vertical or horizontal
      }
    }
    return crossings % 2;
  });
}

t.test('masks come back from run lengths and from polygons', async (t) => {
  const side = fc.integer({ min: 1, max: 9 });
  const masks = fc
    .tuple(side, side, side, side, fc.infiniteStream(fc.integer({ min: 0, max: 1 })))
    .map(([left, top, width, height, bits]): MaskBitmap => {
      const data = Uint8Array.from({ length: width * height }, () => bits.next().value);
      return { left, top, width, height, data };
    });
  const comesBack = fc.property(masks, (mask) => {
    const image = { width: mask.left + mask.width + 1, height: mask.top + mask.height + 2 };
    const whole = decodeRle(encodeRle(mask, image));
    const part = mask.data.map((_, i) => {
      return whole[(mask.top + Math.floor(i / mask.width)) * image.width + mask.left + (i % mask.width)];
    });
    const count = (data: Uint8Array) => data.reduce((sum, value) => sum + value, 0);
    const polygons = maskPolygons(mask);
    return (
      Buffer.compare(part, mask.data) === 0 &&
      count(whole) === count(mask.data) &&
      Buffer.compare(filled(polygons, mask), mask.data) === 0
    );
  });
  t.doesNotThrow(() => fc.assert(comesBack, { numRuns: 500 }));
});

t.test('contours: corners alone, holes the other way round, diagonals apart', async (t) => {
  const mask = (width: number, ...bits: number[]): MaskBitmap => {
    return { left: 10, top: 20, width, height: bits.length / width, data: Uint8Array.from(bits) };
  };
  t.same(maskPolygons(mask(2, 1, 1, 1, 1)), [[12, 20, 12, 22, 10, 22, 10, 20]]);
  t.same(maskPolygons(mask(3, 1, 1, 1, 1, 0, 1, 1, 1, 1)), [
    [13, 20, 13, 23, 10, 23, 10, 20],
    [12, 22, 12, 21, 11, 21, 11, 22],
  ]);
  t.equal(maskPolygons(mask(2, 1, 0, 0, 1)).length, 2);
  t.same(maskPolygons(mask(1, 0)), []);
});

t.test('what is not run lengths is refused', async (t) => {
  for (const [counts, message] of [
    ['~~', /character 1 of 2 belongs to no number/],
    ['oooooooo', /belongs to no number/],
    ['5', /run lengths of 5 pixels, expected 6/],
    ['7', /count 0 is 7 after 0 of 6 pixels/],
    [[3, -1, 4], /count 1 is -1/],
    [[3, 1.5], /count 1 is 1.5/],
  ] as const) {
    t.throws(() => decodeRle({ size: [2, 3], counts }), { message }, String(counts));
  }
  t.throws(() => decodeRle({ size: [2 ** 20, 2 ** 20], counts: [2 ** 40] }), { message: /at most/ });
});
