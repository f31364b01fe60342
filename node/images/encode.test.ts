import sharp from 'sharp';
import t from 'tap';
import { encodeClassMap, encodeImage, imageFormat } from './encode.js';

const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => 13 * i) };

t.test('the format is that of the name', async (t) => {
  for (const [name, format] of [
    ['a/b.png', 'png'],
    ['tree.JPG', 'jpeg'],
    ['tree.jpeg', 'jpeg'],
    ['x.webp', 'webp'],
    ['image', 'png'],
  ] as const) {
    t.equal(imageFormat(name), format, name);
    const bytes = await encodeImage(image, imageFormat(name));
    t.match(await sharp(bytes).metadata(), { format, width: 3, height: 2, channels: 3 });
    t.ok(bytes.equals(await encodeImage(image, format)), 'the same input gives the same bytes');
    if (format === 'jpeg') continue;
    t.same([...(await sharp(bytes).raw().toBuffer())], [...image.data], 'no pixel is changed');
  }
});

t.test('another ending is refused in one line', async (t) => {
  for (const name of ['tree.gif', 'tree.svg', 'tree.txt', 'tree.constructor']) {
    t.throws(() => imageFormat(name), {
      message: new RegExp(
        `cannot write "${name}": images are written as \\.png, \\.jpg, \\.jpeg, \\.webp, not as`,
      ),
    });
  }
});

t.test('class indices are the values of a grey PNG', async (t) => {
  for (const [classes, depth, highest] of [
    [150, 'uchar', 149],
    [256, 'uchar', 255],
    [257, 'ushort', 256],
    [40_000, 'ushort', 39_999],
  ] as const) {
    const map = Uint16Array.of(0, 1, 2, highest, 5, 7);
    const bytes = await encodeClassMap(map, { width: 3, height: 2 }, classes);
    t.match(await sharp(bytes).metadata(), { format: 'png', width: 3, height: 2, channels: 1, depth });
    const read = await sharp(bytes)
      .toColourspace(depth === 'uchar' ? 'b-w' : 'grey16')
      .raw({ depth })
      .toBuffer();
    const values = depth === 'uchar' ? read : new Uint16Array(read.buffer, read.byteOffset, 6);
    t.same([...values], [...map], `${classes} classes`);
  }
});
