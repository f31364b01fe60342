import sharp from 'sharp';
import t from 'tap';
import { encodeImage, imageFormat } from './encode.js';

const image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => 13 * i) };

t.test('the format is that of the name', async (t) => {
  for (const [name, format] of [
    ['a/b.png', 'png'],
    ['tree.JPG', 'jpeg'],
    ['tree.jpeg', 'jpeg'],
    ['x.webp', 'webp'],
    ['picture', 'png'],
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
        `cannot write ${name}: pictures are written as \\.png, \\.jpg, \\.jpeg, \\.webp, not as`,
      ),
    });
  }
});
