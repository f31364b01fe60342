import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import t from 'tap';
import type { RgbImage } from '../../plugin/image/rgb_image.js';
import { readImage } from './read_image.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** Where the pixel (x, y) of an upright w x h image is stored in a file with this EXIF orientation. */
const STORED_AT: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _w, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, w) => [y, w - 1 - x],
  7: (x, y, w, h) => [h - 1 - y, w - 1 - x],
  8: (x, y, _w, h) => [h - 1 - y, x],
};

/** The pixels of an upright image as stored in a file with this orientation. */
function storedAs(orientation: number, image: RgbImage): RgbImage {
  const { width, height } = image;
  const stored = orientation >= 5 ? { width: height, height: width } : { width, height };
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] = STORED_AT[orientation](x, y, width, height);
      const from = 3 * (y * width + x);
      data.set(image.data.subarray(from, from + 3), 3 * (row * stored.width + column));
    }
  }
  return { ...stored, data };
}

t.test('decodes as Pillow does: no colour profile, alpha dropped; and upright', async (t) => {
  const palette = await readImage(join(fixtures, 'palette.png'));
  t.ok(Buffer.compare(palette.data, (await readImage(join(fixtures, 'palette-decoded.png'))).data) === 0);
  // The file has orientation 6, the expected pixels are as stored.
  const camera = await readImage(join(fixtures, 'camera.jpg'));
  t.same([camera.width, camera.height], [47, 61]);
  const expected = await readImage(join(fixtures, 'camera-decoded.png'));
  t.ok(Buffer.compare(storedAs(6, camera).data, expected.data) === 0);
});

t.test('all eight EXIF orientations stand upright, in every format that has them', async (t) => {
  const upright = {
    width: 3,
    height: 2,
    data: Uint8Array.from({ length: 18 }, (_, i) => 14 * i),
  };
  for (const format of ['png', 'webp', 'tiff'] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const { width, height, data } = storedAs(orientation, upright);
      const file = await sharp(data, { raw: { width, height, channels: 3 } })
        .withMetadata({ orientation })
        .toFormat(format, { lossless: true, compression: 'none' } as object)
        .toBuffer();
      t.equal((await sharp(file).metadata()).orientation, orientation, `${format} ${orientation} is stored`);
      const { width: w, height: h, data: pixels } = await readImage(file);
      t.same([w, h, ...pixels], [3, 2, ...upright.data], `${format} ${orientation}`);
    }
  }
});

t.test('a path, a URL, a Blob and bytes are the same image', async (t) => {
  const file = join(fixtures, 'cat.png');
  const bytes = readFileSync(file);
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/cat.png' ? 200 : 404).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/cat.png`;
  const expected = await readImage(file);
  for (const [name, source] of [
    ['file: URL', pathToFileURL(file)],
    ['file: URL as text', pathToFileURL(file).href],
    ['http: URL', new URL(url)],
    ['http: URL as text', url],
    ['data: URL', `data:image/png;base64,${bytes.toString('base64')}`],
    ['Blob', new Blob([bytes])],
    ['Buffer', bytes],
    ['ArrayBuffer', new Uint8Array(bytes).buffer],
  ] as const) {
    t.ok(Buffer.compare((await readImage(source)).data, expected.data) === 0, name);
  }
  await t.rejects(readImage(`${url}x`), { message: `cannot read image "${url}x": the server answered 404` });
  await t.rejects(readImage('http://127.0.0.1:1/x.png'), {
    message: /cannot read image .*": it cannot be fetched/,
  });
  await t.rejects(readImage(new Blob([])), { message: 'cannot read image from a Blob: the file is empty' });
  await t.rejects(readImage(Buffer.from('hello')), {
    message: /cannot read image from memory: not an image/,
  });
  await t.rejects(readImage(7 as never), { message: /expected a path, a URL, a Blob or the bytes/ });
  const signal = AbortSignal.abort(new Error('enough'));
  await t.rejects(readImage(url, { signal }), { message: 'enough' });
});

t.test('a pipe is refused at once', async (t) => {
  const pipe = join(t.testdir({}), 'pipe');
  execFileSync('mkfifo', [pipe]);
  await t.rejects(readImage(pipe), { message: /it is not a regular file/ });
});

t.test('every kind of pixel becomes 8-bit RGB', async (t) => {
  const dir = t.testdir({});
  const file = join(dir, 'image');
  const write = async (image: Sharp) => writeFileSync(file, await image.toBuffer());

  const rgba = Uint8Array.of(10, 20, 30, 0, 200, 100, 50, 128);
  await write(sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } }).png());
  t.same([...(await readImage(file)).data], [10, 20, 30, 200, 100, 50], 'alpha is not blended');

  const grey = Uint8Array.of(0, 7, 255);
  await write(
    sharp(grey, { raw: { width: 1, height: 3, channels: 1 } })
      .toColourspace('b-w')
      .png(),
  );
  t.same(await readImage(file), {
    width: 1,
    height: 3,
    data: Buffer.of(0, 0, 0, 7, 7, 7, 255, 255, 255),
  });

  const deep = Uint16Array.of(0, 255, 256, 32768, 65535, 65535);
  const raw = { width: 2, height: 1, channels: 3 } as const;
  await write(sharp(deep, { raw }).toColourspace('rgb16').png());
  t.equal((await sharp(file).metadata()).depth, 'ushort');
  t.same([...(await readImage(file)).data], [0, 0, 1, 128, 255, 255], '16 bits keep the high byte');

  const red = { create: { width: 8, height: 8, channels: 3, background: '#f00' } } as const;
  await write(sharp(red).toColourspace('cmyk').jpeg());
  const [r, g, b] = (await readImage(file)).data;
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
  const { width, height, data } = await readImage(file);
  t.same([width, height, ...data.subarray(0, 3)], [4, 4, 0, 0, 255]);
});

t.test('a file that changes on disk is read again', async (t) => {
  const file = join(t.testdir({}), 'image.png');
  await copyFile(join(fixtures, 'cat.png'), file);
  t.equal((await readImage(file)).width, 97);
  await copyFile(join(fixtures, 'tall.png'), file);
  t.equal((await readImage(file)).width, 41);
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
    await t.rejects(readImage(file), { message }, name);
    const error = await readImage(file).catch((error: Error) => error);
    t.ok(error instanceof Error && error.message.startsWith(`cannot read image "${file}": `), name);
    t.notMatch((error as Error).message, /\n/);
  }
});
