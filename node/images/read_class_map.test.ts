/** Images whose pixels are class indices. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeClassMap } from './encode.js';
import { readClassMap } from './read_class_map.js';
import { loadSharp } from './sharp.js';

const folder = t.testdir();
const at = (name: string) => join(folder, name);
const extent = { width: 16, height: 20 };

t.test('what was written as classes is read as classes', async (t) => {
  for (const [classes, step] of [
    [256, 1],
    [60_000, 187],
  ]) {
    const classMap = Uint16Array.from({ length: 320 }, (_, i) => Math.min(i * step, classes - 1));
    writeFileSync(at('map.png'), await encodeClassMap(classMap, extent, classes));
    const read = await readClassMap(at('map.png'));
    t.same([read.width, read.height, [...read.data]], [16, 20, [...classMap]], `${classes} classes`);
  }
});

t.test('images of something else', async (t) => {
  const sharp = await loadSharp();
  const grey = () => sharp(new Uint8Array(320).fill(7), { raw: { ...extent, channels: 1 } });
  const colours = () => sharp(new Uint8Array(960).fill(7), { raw: { ...extent, channels: 3 } });
  writeFileSync(at('colours.png'), await colours().png().toBuffer());
  writeFileSync(at('palette.png'), await colours().png({ palette: true }).toBuffer());
  writeFileSync(at('grey.jpg'), await grey().toColourspace('b-w').jpeg().toBuffer());
  writeFileSync(
    at('two.png'),
    await grey().toColourspace('b-w').png({ palette: true, colours: 2 }).toBuffer(),
  );
  const whole = await grey().toColourspace('b-w').png().toBuffer();
  writeFileSync(at('cut.png'), whole.subarray(0, whole.length - 20));
  writeFileSync(at('head.png'), whole.subarray(0, 60));
  writeFileSync(at('empty.png'), '');
  writeFileSync(at('text.png'), 'text');
  for (const [name, message] of [
    [
      'colours.png',
      /cannot read the classes of .*colours.png": 3 channels of 8 bits, png, expected a grey PNG/,
    ],
    ['palette.png', /palette.png": a palette, expected a grey PNG of 8 or 16 bits/],
    ['two.png', /two.png": (a palette|1 channels of [124] bits, png), expected/],
    ['grey.jpg', /grey.jpg": 1 channels of 8 bits, jpeg/],
    ['cut.png', /cannot read the classes of .*cut.png": damaged or truncated \(.+\w\)$/],
    ['head.png', /head.png": damaged or truncated \(.+\w\)$/],
    ['empty.png', /empty.png": the file is empty$/],
    ['text.png', /text.png": not an image in a known format$/],
    ['missing.png', /missing.png": no such file$/],
    ['.', /it is a directory$/],
  ] as const) {
    await t.rejects(readClassMap(at(name)), { message }, name);
  }
});
