/** Tests which parts of annotation files are read, and how invalid files are rejected. */
import fc from 'fast-check';
import t from 'tap';
import { decodeRle } from '../image/mask.js';
import { readCocoAnnotations } from './coco_annotations.js';

const images = [
  { id: 7, file_name: 'val/7.jpg', width: 6, height: 4, license: 3 },
  { id: 2, file_name: '2.jpg', width: 5, height: 5 },
];
const categories = [
  { id: 90, name: 'brush', supercategory: 'indoor' },
  { id: 1, name: 'person' },
];
const square = [1, 1, 3, 1, 3, 3, 1, 3];
const object = (more: object = {}) => ({
  id: 1,
  image_id: 7,
  category_id: 1,
  bbox: [1, 1, 2, 2],
  area: 4,
  iscrowd: 0,
  segmentation: [square],
  ...more,
});
const read = (annotations: unknown, more: object = {}) =>
  readCocoAnnotations('a.json', JSON.stringify({ images, categories, annotations, ...more }));

t.test('images and categories by their ids, masks when they are asked for', async (t) => {
  const rle = { size: [4, 6], counts: [24] };
  const data = read([object(), object({ segmentation: rle, iscrowd: 1 }), object({ segmentation: [] })]);
  t.same(
    data.categories.map(({ id }) => id),
    [1, 90],
  );
  t.same(
    data.images.map(({ id, fileName, width, height }) => [id, fileName, width, height]),
    [
      [2, '2.jpg', 5, 5],
      [7, 'val/7.jpg', 6, 4],
    ],
  );
  t.same([data.annotations, data.masks], [3, 2], 'an empty list is not a mask');
  const [none, [first, second, third]] = data.images.map((image) => image.annotations());
  t.same(none, []);
  t.same([first.bbox, first.area, first.iscrowd, second.iscrowd], [[1, 1, 2, 2], 4, 0, 1]);
  const mask = first.segmentation as NonNullable<typeof first.segmentation>;
  t.same([mask.size, decodeRle(mask).reduce((sum, value) => sum + value)], [[4, 6], 4]);
  t.same([second.segmentation, third.segmentation], [rle, undefined]);
});

t.test('files that are refused, in one line that names the place', async (t) => {
  const size = [4, 6];
  for (const [annotations, more, message] of [
    [[], {}, /^a.json: no annotations, expected at least one object$/],
    [undefined, {}, /^a.json.annotations is undefined, expected an array$/],
    [[object({ image_id: 3 })], {}, /annotations\[0\] is of the image 3, which is not among the images/],
    [[object({ category_id: 2 })], {}, /annotations\[0\] is of the category 2, which is not among/],
    [[object({ bbox: [1, 1, 2] })], {}, /annotations\[0\].bbox is an array of 3, expected an array of 4/],
    [[object({ bbox: [1, 1, -2, 2] })], {}, /bbox\[2\] is -2, expected a number from 0/],
    [[object({ bbox: [1, 1, null, 2] })], {}, /bbox\[2\] is null/],
    [[object({ area: -1 })], {}, /area is -1/],
    [[object({ iscrowd: 2 })], {}, /iscrowd is 2, expected 0 or 1/],
    [[object({ segmentation: [[1, 1, 2, 2]] })], {}, /\[0\].segmentation: a polygon of 4 numbers/],
    [[object({ segmentation: [[1, 1, 2, 2, 3, 'x']] })], {}, /segmentation: it\[0\]\[5\] is "x"/],
    [
      [object({ segmentation: [[0, 0, 1e7, 0, 1e7, 1]] })],
      {},
      /a polygon with a corner at 10000000, far from/,
    ],
    [[object({ segmentation: 5 })], {}, /segmentation: it is 5, expected an object/],
    [
      [object({ segmentation: { size: [6, 4], counts: [24] } })],
      {},
      /of \[6,4\] pixels, the image has \[4,6\]/,
    ],
    [[object({ segmentation: { size, counts: [23] } })], {}, /run lengths of 23 pixels, expected 24/],
    [[object({ segmentation: { size, counts: [1, 30] } })], {}, /count 1 is 30 after 1 of 24 pixels/],
    [[object({ segmentation: { size, counts: '\u0001' } })], {}, /character 1 of 1 belongs to no number/],
    [[object()], { images: [images[0], images[0]] }, /^a.json: images: the id 7 occurs twice$/],
    [[object()], { categories: [categories[1], categories[1]] }, /categories: the id 1 occurs twice/],
    [
      [object()],
      { images: [{ ...images[0], file_name: '../x.jpg' }] },
      /images\[0\].file_name is "..\/x.jpg"/,
    ],
    [[object()], { images: [{ ...images[0], file_name: '/etc/x.jpg' }] }, /expected a file below the folder/],
    [[object()], { images: [{ ...images[0], file_name: 'C:\\x.jpg' }] }, /expected a file below the folder/],
    [[object()], { images: [{ ...images[0], width: 0 }] }, /width is 0, expected an integer from 1 to 65535/],
    [[object()], { images: 'x' }, /a.json.images is "x", expected an array/],
  ] as const) {
    t.throws(() => read(annotations, more), { message }, String(message));
  }
  t.throws(() => readCocoAnnotations('a.json', '{'), { message: 'a.json: not JSON' });
  t.throws(() => readCocoAnnotations('a.json', '[]'), {
    message: /a.json is an array of 0, expected an object/,
  });
});

t.test('whatever stands in a file: it is read, or refused in one line that names it', async () => {
  const base = {
    images,
    categories,
    annotations: [object(), object({ segmentation: { size: [4, 6], counts: [24] }, iscrowd: 1 })],
  };
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.integer(),
    fc.constantFrom('', null, 1e308, -1, [[]]),
  );
  fc.assert(
    fc.property(fc.nat(200), value, (at, value) => {
      let left = at;
      // Replaces one value of the file by another; the text remains valid JSON.
      const text = JSON.stringify(base, (_, own) => (left-- === 0 ? value : own)) ?? '';
      try {
        for (const image of readCocoAnnotations('a.json', text).images) image.annotations();
        return true;
      } catch (error) {
        const { message } = error as Error;
        return message.startsWith('a.json') && !message.includes('\n');
      }
    }),
    { numRuns: 500 },
  );
});
