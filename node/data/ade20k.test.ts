/** ADE20K's layout, and its pixel labels. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { loadSharp } from '../images/sharp.js';
import { annotationOf, NO_CLASS, openAde20k, readAde20kClasses } from './ade20k.js';

const folder = t.testdir();
const at = (...names: string[]) => join(folder, ...names);

async function place(path: string, values: Uint8Array | Uint16Array): Promise<string> {
  mkdirSync(dirname(at(path)), { recursive: true });
  const sharp = await loadSharp();
  const image = sharp(values, { raw: { width: values.length, height: 1, channels: 1 } });
  const grey = image.toColourspace(values instanceof Uint8Array ? 'b-w' : 'grey16');
  writeFileSync(at(path), await grey.png().toBuffer());
  return at(path);
}

t.test('images and their annotations', async (t) => {
  for (const name of ['ADE_val_2', 'ADE_val_1']) {
    await place(`set/ADEChallengeData2016/images/validation/${name}.png`, Uint8Array.of(1));
    await place(`set/ADEChallengeData2016/annotations/validation/${name}.png`, Uint8Array.of(1));
  }
  const found = await openAde20k(at('set'));
  const root = at('set', 'ADEChallengeData2016');
  t.same(
    found.files,
    [1, 2].map((i) => join(root, 'images', 'validation', `ADE_val_${i}.png`)),
  );
  t.equal(
    annotationOf(join(root, 'images', 'validation', 'a.b.jpg'), found.annotations),
    join(root, 'annotations', 'validation', 'a.b.png'),
  );
  t.same(await openAde20k(root), found);
  mkdirSync(at('empty', 'annotations', 'validation'), { recursive: true });
  mkdirSync(at('empty', 'images', 'validation'), { recursive: true });
  for (const [path, message] of [
    ['missing', /cannot read the folder .*missing": no such file/],
    ['empty', /images\/validation" holds no images; expected .png/],
    ['set/ADEChallengeData2016/images', /cannot read the folder .*annotations\/validation": no such file/],
  ] as const) {
    await t.rejects(openAde20k(at(path)), { message });
  }
});

t.test('classes count from 1; 0 and 255 are none', async (t) => {
  const file = await place('map.png', Uint8Array.of(0, 1, 150, 255));
  t.same([...(await readAde20kClasses(file, 150, { width: 4, height: 1 }))], [NO_CLASS, 0, 149, NO_CLASS]);
  const wide = await place('wide.png', Uint16Array.of(0, 255, 256, 300));
  t.same([...(await readAde20kClasses(wide, 300, { width: 4, height: 1 }))], [NO_CLASS, 254, 255, 299]);
  await t.rejects(readAde20kClasses(file, 19, { width: 4, height: 1 }), {
    message: /map.png: pixel 2 is of class 150, the model has 19 classes/,
  });
  await t.rejects(readAde20kClasses(file, 150, { width: 1, height: 4 }), {
    message: /map.png" has 4 x 1 pixels, its image 1 x 4/,
  });
});
