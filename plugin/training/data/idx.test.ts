/** Tests the reading of idx files, and that malicious ones are rejected before anything large is allocated. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { classesOf, idxExamples } from './examples.js';
import { readIdx } from './idx.js';

/** Builds an idx file with these extents and values. */
function idx(sizes: readonly number[], values: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * sizes.length + values.length);
  bytes.set([0, 0, type, sizes.length]);
  for (const [i, size] of sizes.entries()) new DataView(bytes.buffer).setUint32(4 + 4 * i, size);
  bytes.set(values, 4 + 4 * sizes.length);
  return bytes;
}

const IMAGES = idx([2, 2, 3], [0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255]);
const LABELS = idx([2], [7, 1]);

for (const [how, packed] of [
  ['plain', (bytes: Uint8Array) => bytes],
  ['gzip', (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))],
] as const) {
  t.test(`images and labels, ${how}`, async (t) => {
    t.same((await readIdx('x', packed(IMAGES))).shape, [2, 2, 3]);
    const examples = await idxExamples({
      images: { name: 'images', bytes: packed(IMAGES) },
      labels: { name: 'labels', bytes: packed(LABELS) },
    });
    t.same([...examples.labels], [7, 1]);
    t.equal(classesOf(examples), 8);
    const { width, height, data } = await examples.image(1);
    t.same([width, height, ...data.subarray(0, 6)], [3, 2, 250, 250, 250, 251, 251, 251]);
  });
}

const TRUNCATED = gzipSync(IMAGES).subarray(0, 25);
const DAMAGED = Uint8Array.from(gzipSync(IMAGES));
DAMAGED[DAMAGED.length - 8] ^= 1; // of the checksum
/** With the size in its header it would be 1.6 GB: the header alone must cause the rejection. */
const BOMB = gzipSync(Buffer.concat([idx([40_000, 40_000], []), Buffer.alloc(5e6)]));

for (const [what, bytes, message] of [
  ['an empty file', new Uint8Array(0), 'x: not an idx file, such as train-images-idx3-ubyte'],
  ['a text', new TextEncoder().encode('label,path\n'), 'x: not an idx file'],
  ['a header that ends', IMAGES.subarray(0, 10), 'x: not an idx file'],
  ['five sizes', idx([1, 1, 1, 1, 1], [0]), 'x: not an idx file'],
  ['no sizes', idx([], []), 'x: not an idx file'],
  ['floats', idx([1], [0, 0, 0, 0], 13), 'x: values of type 13, expected 8 (unsigned bytes)'],
  ['a byte too few', IMAGES.subarray(0, 27), 'x: sizes 2 x 2 x 3 need 28 bytes, the file has 27'],
  ['a byte too many', idx([2], [7, 1, 1]), 'x: sizes 2 need 10 bytes, the file has more'],
  ['sizes beyond memory', idx([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []), 'values are read'],
  ['a gzip bomb', new Uint8Array(BOMB), 'x: sizes 40000 x 40000, at most 1073741824 values are read'],
  [
    'a truncated gzip file',
    new Uint8Array(TRUNCATED),
    'x: damaged or truncated gzip data (unexpected end of file)',
  ],
  ['a damaged gzip file', DAMAGED, 'x: damaged or truncated gzip data'],
] as const) {
  t.test(`refused: ${what}`, async (t) => {
    const error: Error = await readIdx('x', bytes).catch((error) => error);
    t.ok(error instanceof Error && error.message.includes(message), error.message);
    t.notMatch(error.message, '\n');
  });
}

t.test('images and labels that do not match are refused', async (t) => {
  const file = (name: string, bytes: Uint8Array) => ({ name, bytes });
  for (const [images, labels, names, message] of [
    [IMAGES, idx([3], [0, 1, 2]), null, 'images has 2 images, labels 3 labels'],
    [LABELS, LABELS, null, 'images has shape [2], expected images [N, H, W]'],
    [IMAGES, IMAGES, null, 'labels has shape [2, 2, 3], expected labels [N]'],
    [idx([0, 2, 3], []), idx([0], []), null, 'expected at least one pixel'],
    [idx([2, 0, 3], []), LABELS, null, 'expected at least one pixel'],
    [IMAGES, LABELS, ['a', 'b'], 'labels: label 0 is 7, there are names of 2 classes'],
  ] as const) {
    const made = idxExamples({ images: file('images', images), labels: file('labels', labels) }, names);
    await t.rejects(made, { message: new RegExp(message.replace(/[[\]()]/g, '\\$&')) });
  }
});
