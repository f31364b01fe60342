/** Image datasets on disk: supported layouts, their classes, and how invalid ones are refused. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { classesOf } from '../../plugin/training/data/examples.js';
import { parseCsv } from './csv.js';
import { openImageSets } from './image_sets.js';

const IMAGES = fileURLToPath(new URL('../images/fixtures/', import.meta.url));
const folder = t.testdir();
const at = (...names: string[]) => join(folder, ...names);

/** Copies images of the fixtures to the given paths, by extension. */
function place(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(at(path)), { recursive: true });
    copyFileSync(join(IMAGES, /jpe?g$/i.test(path) ? 'camera.jpg' : 'cat.png'), at(path));
  }
}

function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
  return at(path);
}

const labels = (values: number[]) => Uint8Array.from([0, 0, 8, 1, 0, 0, 0, values.length, ...values]);
const images = (count: number) =>
  Uint8Array.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 2, ...Array(2 * count).keys()]);

t.test('a folder of classes: every format, deeper folders, links, nothing hidden', async (t) => {
  place(
    'plain/cats/a.png',
    'plain/cats/more/b.JPG',
    'plain/dogs/c.jpeg',
    'plain/.hidden/d.png',
    'elsewhere/e.png',
  );
  write('plain/notes.txt', 'x');
  write('plain/cats/notes.txt', 'x');
  symlinkSync(at('elsewhere'), at('plain/linked'));
  const { train, heldOut } = await openImageSets(at('plain'));
  t.same(train.classNames, ['cats', 'dogs', 'linked']);
  t.same([...train.labels], [0, 0, 1, 2]);
  t.equal(heldOut, undefined);
  const sizes = await Promise.all([0, 1].map(async (i) => (await train.image(i)).width));
  t.equal(sizes[0], 97);
  t.not(sizes[1], 97);
});

t.test('train and val folders have the classes of train', async (t) => {
  place('split/train/a/1.png', 'split/train/b/2.png', 'split/train/c/3.png', 'split/val/c/4.png');
  const { train, heldOut } = await openImageSets(at('split'));
  t.same(train.classNames, ['a', 'b', 'c']);
  t.same(heldOut?.classNames, ['a', 'b', 'c']);
  t.same([...(heldOut?.labels ?? [])], [2]);
  place('split/val/d/5.png');
  await t.rejects(openImageSets(at('split')), {
    message: /split\/val: the class "d" is not among 3 known ones/,
  });
});

t.test('idx files, some compressed', async (t) => {
  write('idx/train-images-idx3-ubyte.gz', gzipSync(images(3)));
  write('idx/train-labels-idx1-ubyte', labels([4, 0, 9]));
  write('idx/t10k-images-idx3-ubyte', images(1));
  const file = write('idx/t10k-labels-idx1-ubyte.gz', gzipSync(labels([1])));
  const { train, heldOut } = await openImageSets(at('idx'));
  t.same([[...train.labels], train.classNames, classesOf(train)], [[4, 0, 9], null, 10]);
  t.same([...(heldOut?.labels ?? [])], [1]);
  t.same([...(await train.image(2)).data], [4, 4, 4, 5, 5, 5]);
  const alone = await openImageSets(at('idx/t10k-images-idx3-ubyte'));
  t.same([[...alone.train.labels], alone.heldOut], [[1], undefined]);
  await t.rejects(openImageSets(file), {
    message: /t10k-labels-idx1-ubyte.gz" is not a set of images: expected/,
  });
  write('lone/x-images-idx3-ubyte', images(1));
  await t.rejects(openImageSets(at('lone')), {
    message: /the labels x-labels-idx1-ubyte or .*gz are not beside it/,
  });
});

t.test('a CSV of paths and labels', async (t) => {
  place('list/a.png', 'list/b, c.jpg');
  const named = write('list/named.csv', '\ufeffpath,label\r\na.png,"say ""hi"""\r\n\r\n"b, c.jpg", ape \r\n');
  const { train } = await openImageSets(named);
  t.same(
    [train.classNames, [...train.labels]],
    [
      ['ape', 'say "hi"'],
      [1, 0],
    ],
  );
  t.equal((await train.image(0)).width, 97);
  t.ok((await train.image(1)).width > 0);
  const numbered = await openImageSets(write('list/numbered.csv', `${at('list/a.png')},12\na.png,3`));
  t.same([numbered.train.classNames, [...numbered.train.labels]], [null, [12, 3]]);
  t.equal(classesOf(numbered.train), 13);
  const remote = await openImageSets(write('list/remote.csv', 'http://127.0.0.1:1/a.png,x'));
  await t.rejects(async () => remote.train.image(0), {
    message: /cannot read image .*list\/http:\/127.*no such file/,
  });
});

t.test('CSV texts that are refused', async (t) => {
  t.same(parseCsv('x', 'a,"b\nc",\nd'), [
    { line: 1, fields: ['a', 'b\nc', ''] },
    { line: 3, fields: ['d'] },
  ]);
  for (const [text, message] of [
    ['a,"b', /x, line 1: a quote that is not closed/],
    ['a\nb,"c"d', /x, line 2: a quote that is not closed, or text beside quotes/],
    ['a\nb"c', /x, line 2: a quote/],
    [`a${',b'.repeat(100)}`, /x, line 1: more than 64 fields/],
  ] as const) {
    t.throws(() => parseCsv('x', text), { message });
  }
  for (const [text, message] of [
    ['', /x.csv: no rows/],
    ['path,label\n', /x.csv: no rows/],
    ['a.png\n', /x.csv, line 1: 1 fields, expected a path and a label/],
    ['a.png,b\n\na.png,b,c\n', /x.csv, line 3: 3 fields/],
    ['a.png, \n', /x.csv, line 1: 2 fields, expected a path and a label/],
    ['a\0.png,b\n', /x.csv, line 1: a path has no NUL/],
  ] as const) {
    await t.rejects(openImageSets(write('x.csv', text)), { message });
  }
});

t.test('what is not a set of images', async (t) => {
  mkdirSync(at('empty'));
  place('hollow/a/1.png');
  mkdirSync(at('hollow/b'));
  for (const [path, message] of [
    ['missing', /cannot open .*missing": no such file/],
    ['empty', /empty" is not a set of images: expected a folder/],
    ['hollow', /hollow\/b" holds no images; expected .png/],
    [write('readme.txt', 'x'), /readme.txt" is not a set of images: expected/],
  ] as const) {
    await t.rejects(openImageSets(path.startsWith('/') ? path : at(path)), { message });
  }
});
