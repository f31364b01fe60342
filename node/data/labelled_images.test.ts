/** Labelled images: layouts, lists, and the mapping to the model's classes. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { IMAGENET_CLASSES } from '../../converters/architectures/grootv/imagenet_classes.js';
import { readClassList } from './class_order.js';
import { imageNetImages, labelledFolders } from './labelled_images.js';

const folder = t.testdir();
const at = (...names: string[]) => join(folder, ...names);

/** Creates empty files: nothing here reads images. */
function place(...paths: string[]): void {
  for (const path of paths) write(path, '');
}

function write(path: string, content: string): string {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
  return at(path);
}

const shortened = (images: readonly { file: string; label: number }[]) =>
  images.map(({ file, label }) => `${basename(file)} ${label}`);
const model = (...names: string[]) => ({ count: names.length, names });
const nameless = (count: number) => ({ count, names: null });
const SYNSETS = ['n01440764', 'n01443537', 'n02102040'];

t.test('folders of classes: the first of every class first, names of the model, links', async (t) => {
  place(
    'plain/b/1.png',
    'plain/b/2.jpg',
    'plain/b/more/3.png',
    'plain/a/4.png',
    'other/5.png',
    'plain/b/notes.txt',
  );
  symlinkSync(at('other'), at('plain', 'c'));
  const { images, order } = await labelledFolders(at('plain'), model('c', 'x', 'b', 'a'));
  t.same(shortened(images), ['4.png 3', '1.png 2', '5.png 0', '2.jpg 2', '3.png 2']);
  t.equal(order, 'classes by the names of the model');
  const unnamed = await labelledFolders(at('plain'), nameless(3));
  t.same(shortened(unnamed.images).slice(0, 3), ['4.png 0', '1.png 1', '5.png 2']);
  t.match(unnamed.order, /alphabetical order; the model names none/);
  place('split/train/a/1.png', 'split/val/a/2.png', 'split/val/b/3.png');
  t.same(shortened((await labelledFolders(at('split'), nameless(2))).images), ['2.png 0', '3.png 1']);
});

t.test('folders that are refused', async (t) => {
  place('some/a/1.png', 'some/b/2.png', 'flat/1.png', 'hollow/a/1.png');
  mkdirSync(at('hollow', 'b'));
  for (const [name, classes, message] of [
    ['some', model('a', 'c'), /some has 2 classes, the model has no class "b": --class-order FILE/],
    ['some', nameless(3), /some has 2 classes, the model has 3 classes: --class-order FILE lists/],
    ['flat', nameless(3), /flat" holds no folders of images, one for each class/],
    ['hollow', nameless(2), /hollow\/b" holds no images; expected .png/],
    ['missing', nameless(2), /cannot read the folder .*missing": no such file/],
  ] as const) {
    await t.rejects(labelledFolders(at(name), classes), { message });
  }
});

t.test('ImageNet: a folder for each WordNet id, in their order', async (t) => {
  place(...SYNSETS.map((id, i) => `net/val/${id}/${i}.JPEG`));
  const { images, order } = await imageNetImages(at('net'), nameless(3));
  t.same(shortened(images), ['0.JPEG 0', '1.JPEG 1', '2.JPEG 2']);
  t.match(order, /order of their WordNet ids; the model names none/);
  const named = await imageNetImages(at('net', 'val'), model(...[...SYNSETS].reverse()));
  t.same(shortened(named.images), ['0.JPEG 2', '1.JPEG 1', '2.JPEG 0'], 'a model that has the ids as names');
  const imageNet = { count: 1000, names: IMAGENET_CLASSES };
  await t.rejects(imageNetImages(at('net'), imageNet), {
    message: /val has 3 classes, the model has no class "n01440764": --class-order FILE/,
  });
  const words = ['tench, Tinca tinca', 'goldfish', 'English springer'];
  const lines = SYNSETS.map((id, i) => `${id} ${words[i]}\n`).join('');
  const list = await readClassList(write('map.txt', lines));
  const listed = await imageNetImages(at('net'), model('tench', 'Goldfish, Carassius', 'english springer'), {
    list,
  });
  t.same(shortened(listed.images), ['0.JPEG 0', '1.JPEG 1', '2.JPEG 2']);
  t.match(listed.order, /order of .*map.txt, checked against the names of the model/);
  for (const [classes, text, message] of [
    [model('tench', 'goldfish', 'cat'), lines, /class 2 is "English springer", the model's is "cat"/],
    [nameless(4), lines, /x.txt lists 3 classes, the model has 4/],
    [
      nameless(3),
      `${SYNSETS[0]}\n${SYNSETS[1]}\nn00000001\n`,
      /val: the class "n02102040" is not in .*x.txt/,
    ],
  ] as const) {
    const list = await readClassList(write('x.txt', text));
    await t.rejects(imageNetImages(at('net'), classes, { list }), { message });
  }
  await t.rejects(readClassList(write('x.txt', 'a\nb\na\n')), {
    message: /x.txt: the class "a" is listed twice/,
  });
});

t.test(
  "a whole ImageNet's 1000 folders go with ImageNet's names, another set of 1000 does not",
  async (t) => {
    const ids = Array.from({ length: 1000 }, (_, i) => `n${String(1_440_764 + i * 13_648).padStart(8, '0')}`);
    ids[999] = 'n15075141';
    for (const id of ids) place(`whole/${id}/1.JPEG`);
    const imageNet = { count: 1000, names: IMAGENET_CLASSES };
    const { images, order } = await imageNetImages(at('whole'), imageNet);
    t.same([images.length, images[0].label, images[999].label], [1000, 0, 999]);
    t.match(order, /the model's names are ImageNet's in that order/);
    for (const id of ids.slice(1)) place(`others/${id}/1.JPEG`);
    place('others/n99999999/1.JPEG');
    await t.rejects(imageNetImages(at('others'), imageNet), {
      message: /others has 1000 classes, the model has no/,
    });
  },
);

t.test('ImageNet: all images in one folder, and the lists that are published', async (t) => {
  const names = [1, 2, 3].map((i) => `ILSVRC2012_val_0000000${i}.JPEG`);
  place(...names.map((name) => `flat/val/${name}`));
  const stems = names.map((name) => name.replace('.JPEG', ''));
  const ids = [SYNSETS[2], SYNSETS[0], SYNSETS[1]];
  for (const [file, content] of [
    ['val_map.txt', names.map((name, i) => `${name}\t${ids[i]}`).join('\n')],
    ['truth.txt', `${ids.join('\n')}\n`],
    ['numbers.txt', names.map((name, i) => `val/${name} ${[2, 0, 1][i]}`).join('\r\n')],
    [
      'LOC_val_solution.csv',
      `ImageId,PredictionString\n${stems.map((stem, i) => `${stem},${ids[i]} 85 1 499 272 `).join('\n')}\n`,
    ],
  ]) {
    const truth = write(`lists/${file}`, content);
    const { images } = await imageNetImages(at('flat'), nameless(3), { truth });
    t.same(shortened(images), [`${names[0]} 2`, `${names[1]} 0`, `${names[2]} 1`], file);
  }
  write('flat/val.txt', names.map((name) => `${name} 1`).join('\n'));
  const found = await imageNetImages(at('flat'), nameless(3));
  t.same(
    shortened(found.images),
    names.map((name) => `${name} 1`),
    'found above the images',
  );
  t.match(found.order, /classes as .*flat\/val.txt numbers them, from 0/);
  const missing = write('lists/missing.txt', `../../${names[0]} 1\n../../etc/x.png 0`);
  const { images } = await imageNetImages(at('flat'), nameless(3), { truth: missing });
  t.same(
    images.map(({ file }) => file),
    [names[0], 'x.png'].map((name) => at('flat', 'val', name)),
  );
});

t.test('lists that are refused, with the line', async (t) => {
  place('lone/1.JPEG', 'lone/2.JPEG');
  await t.rejects(imageNetImages(at('lone'), nameless(2)), {
    message: /lone" holds images without their classes: --ground-truth FILE, or LOC_val_solution.csv/,
  });
  mkdirSync(at('nothing'));
  await t.rejects(imageNetImages(at('nothing'), nameless(2)), {
    message: /nothing" holds neither folders named after WordNet ids, such as n01440764, nor images/,
  });
  for (const [content, message] of [
    ['', /x.txt" has 0 lines, there are 2 images/],
    [
      '490\n361',
      /line 1: "490", expected a WordNet id such as n01440764 \(numbers alone are the development kit's ids/,
    ],
    ['n01440764', /x.txt" has 1 lines, there are 2 images/],
    ['1.JPEG 0\n1.JPEG 1', /line 2: "1.JPEG" is listed twice/],
    ['1.JPEG 0\n2.JPEG n01440764', /line 2: WordNet ids and numbers, expected one of them/],
    ['1.JPEG cat', /line 1: the class is "cat", expected a WordNet id such as n01440764 or a number/],
    ['1.JPEG 0\n2.JPEG', /line 2: the class is ""/],
    ['1.JPEG 7', /x.txt: 1.JPEG is of class 7, the model has 2 classes/],
  ] as const) {
    const truth = write('x.txt', content);
    await t.rejects(imageNetImages(at('lone'), nameless(2), { truth }), { message });
  }
  const truth = write('x.csv', 'ImageId,PredictionString\n');
  await t.rejects(imageNetImages(at('lone'), nameless(2), { truth }), { message: /x.csv: no lines/ });
  await t.rejects(imageNetImages(at('lone'), nameless(2), { truth: at('no.txt') }), {
    message: /cannot open .*no.txt": no such file/,
  });
});
