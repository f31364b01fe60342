import { truncateSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import t from 'tap';
import { decodeImage } from './decode.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

t.test('decodes as Pillow does: no rotation, no colour profile, alpha dropped', async (t) => {
  for (const [name, ending] of [
    ['camera', 'jpg'],
    ['palette', 'png'],
  ]) {
    const actual = await decodeImage(join(fixtures, `${name}.${ending}`));
    const expected = await decodeImage(join(fixtures, `${name}-decoded.png`));
    t.equal(actual.width, 61);
    t.equal(actual.height, 47);
    t.ok(Buffer.compare(actual.data, expected.data) === 0, name);
  }
});

t.test('every kind of pixel becomes 8-bit RGB', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'image');
  const write = async (image: Sharp) => writeFileSync(file, await image.toBuffer());

  const rgba = Uint8Array.of(10, 20, 30, 0, 200, 100, 50, 128);
  await write(sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } }).png());
  t.same([...(await decodeImage(file)).data], [10, 20, 30, 200, 100, 50], 'alpha is not blended');

  const grey = Uint8Array.of(0, 7, 255);
  await write(
    sharp(grey, { raw: { width: 1, height: 3, channels: 1 } })
      .toColourspace('b-w')
      .png(),
  );
  t.same(await decodeImage(file), {
    width: 1,
    height: 3,
    data: Buffer.of(0, 0, 0, 7, 7, 7, 255, 255, 255),
  });

  const deep = Uint16Array.of(0, 255, 256, 32768, 65535, 65535);
  const raw = { width: 2, height: 1, channels: 3 } as const;
  await write(sharp(deep, { raw }).toColourspace('rgb16').png());
  t.equal((await sharp(file).metadata()).depth, 'ushort');
  t.same([...(await decodeImage(file)).data], [0, 0, 1, 128, 255, 255], '16 bits keep the high byte');

  const red = { create: { width: 8, height: 8, channels: 3, background: '#f00' } } as const;
  await write(sharp(red).toColourspace('cmyk').jpeg());
  const [r, g, b] = (await decodeImage(file)).data;
  t.ok(r > 180 && g < 80 && b < 80, `CMYK red is ${r}, ${g}, ${b}`);
});

t.test('an animation gives its first frame', async (t) => {
  const file = join(t.testdir({}), 'frames.gif');
  const frame = (background: string) =>
    ({ create: { width: 4, height: 4, channels: 3, background } }) as const;
  const frames = await Promise.all(['#00f', '#f00'].map((c) => sharp(frame(c)).png().toBuffer()));
  writeFileSync(
    file,
    await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer(),
  );
  t.equal((await sharp(file).metadata()).pages, 2);
  const { width, height, data } = await decodeImage(file);
  t.same([width, height, ...data.subarray(0, 3)], [4, 4, 0, 0, 255]);
});

t.test('a file that changes on disk is read again', async (t) => {
  const file = join(t.testdir({}), 'image.png');
  await copyFile(join(fixtures, 'cat.png'), file);
  t.equal((await decodeImage(file)).width, 97);
  await copyFile(join(fixtures, 'tall.png'), file);
  t.equal((await decodeImage(file)).width, 41);
});

t.test('what cannot be read is told in one line that names the file', async (t) => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
  const dir = t.testdir({ folder: {}, 'empty.png': '', 'text.png': 'hello, world', 'drawing.svg': svg });
  await copyFile(join(fixtures, 'cat.png'), join(dir, 'half.png'));
  truncateSync(join(dir, 'half.png'), 9000);
  await copyFile(join(fixtures, 'camera.jpg'), join(dir, 'half.jpg'));
  truncateSync(join(dir, 'half.jpg'), 1500);
  const wide = { create: { width: 20_000, height: 5_001, channels: 3, background: '#000' } } as const;
  await sharp(wide).png().toFile(join(dir, 'huge.png'));
  for (const [name, message] of [
    ['missing.png', /no such file/],
    ['folder', /it is a directory/],
    ['empty.png', /the file is empty/],
    ['text.png', /not an image in a known format/],
    ['drawing.svg', /svg is not supported/],
    ['half.png', /damaged or truncated/],
    ['half.jpg', /damaged or truncated/],
    ['huge.png', /more than 100000000 pixels/],
  ] as const) {
    const file = join(dir, name);
    await t.rejects(decodeImage(file), { message }, name);
    const error = await decodeImage(file).catch((error: Error) => error);
    t.ok(error instanceof Error && error.message.startsWith(`cannot read image ${file}: `), name);
    t.notMatch((error as Error).message, /\n/);
  }
});
