/** `evaluate`: digits against the reference's classes, test doubles of dense models, layouts, bad images, bad usage. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import type { MemorySink } from '../../converters/index.js';
import { type CocoAnnotation, type CocoResult, evaluateCoco } from '../../plugin/index.js';
import { grootvl, grootvlProcess } from '../../testing/command_line.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { stubDetector, stubSegmenter } from '../../testing/stub_models.js';

const DIGITS = fileURLToPath(new URL('../../examples/digits/', import.meta.url));
const folder = t.testdir();
const at = (...names: string[]) => join(folder, ...names);

function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
  return at(path);
}

function written(name: string, sink: MemorySink): string {
  for (const [file, bytes] of sink.files) write(`${name}/${file}`, bytes);
  return at(name);
}

async function evaluated(...args: string[]) {
  const { status, stdout, stderr } = await grootvl('evaluate', ...args, '--json');
  return { status, stderr, ...JSON.parse(stdout) };
}

const segmenter = written('segmenter', await stubSegmenter());
const detector = written('detector', await stubDetector());
const nano = at('nano');
t.equal((await grootvl('convert', fixturePath('grootv/grootv_nano_mnist.pth') as string, nano)).status, 0);

t.test("digits: the reference's accuracy exactly, and its calibration", async (t) => {
  const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const [images, labels, logits] = ['images_u8', 'labels', 'logits_model'].map((name) =>
    expected.tensor(name),
  );
  const count = labels.shape[0];
  write(
    'idx/t10k-images-idx3-ubyte',
    Buffer.concat([
      Buffer.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]),
      Uint8Array.from(images.values),
    ]),
  );
  write(
    'idx/t10k-labels-idx1-ubyte',
    Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 0, 0, count]), Uint8Array.from(labels.values)]),
  );
  const rows = Array.from({ length: count }, (_, i) => {
    const own = Array.from(logits.values.slice(10 * i, 10 * i + 10));
    const order = [...own.keys()].sort((a, b) => own[b] - own[a]);
    const exponents = own.map((value) => Math.exp(value - own[order[0]]));
    return {
      place: order.indexOf(labels.values[i]),
      confidence: 1 / exponents.reduce((sum, each) => sum + each, 0),
    };
  });
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  for (const batch of ['7', '32']) {
    const run = await evaluated(
      nano,
      '--mnist',
      at('idx'),
      '--batch',
      batch,
      '--bins',
      '1',
      '--backend',
      'wasm',
    );
    t.equal(run.status, 0, run.stderr);
    t.match(run, {
      evaluated: count,
      failed: [],
      backend: 'wasm',
      dataset: { kind: 'mnist', images: count },
    });
    t.equal(run.top1, mean(rows.map(({ place }) => Number(place === 0))));
    t.equal(run.top5, mean(rows.map(({ place }) => Number(place < 5))));
    // With one bin: the difference between mean confidence and accuracy. Logits may differ by 1e-3.
    const distance = Math.abs(mean(rows.map(({ confidence }) => confidence)) - run.top1);
    t.ok(
      Math.abs(run.calibration.expectedError - distance) < 1e-3,
      `${run.calibration.expectedError} ${distance}`,
    );
  }
  const files = [at('idx', 't10k-images-idx3-ubyte'), at('idx', 't10k-labels-idx1-ubyte')];
  const limited = await evaluated(nano, '--mnist', ...files, '--limit', '9');
  t.equal(limited.evaluated, 9);
  t.equal(limited.top1, mean(rows.slice(0, 9).map(({ place }) => Number(place === 0))));
  const { stdout } = await grootvl(
    'evaluate',
    nano,
    '--mnist',
    at('idx'),
    '--confusion',
    at('confusion.png'),
  );
  t.match(
    stdout,
    /^64 images \(labels are the numbers of the classes; wasm\)\n {2}top-1 accuracy +96\.88 %\n/,
  );
  t.match(await sharp(at('confusion.png')).metadata(), { format: 'png', channels: 3 });
});

t.test('threads give the same; a signal ends it with the scores until then', async (t) => {
  const args = ['evaluate', nano, '--mnist', at('idx'), '--backend', 'wasm', '--batch', '8', '--json'];
  const [alone, threads] = await Promise.all([
    grootvl(...args),
    grootvlProcess({}, ...args, '--workers', '2'),
  ]);
  t.equal(threads.status, 0, threads.stderr);
  const withoutTime = ({ stdout }: { stdout: string }) => ({ ...JSON.parse(stdout), ms: 0 });
  t.same(withoutTime(threads), withoutTime(alone));
  const before = process.listenerCount('SIGINT');
  const running = grootvl('evaluate', nano, '--mnist', at('idx'), '--backend', 'cpu', '--batch', '1');
  while (process.listenerCount('SIGINT') === before) await new Promise(setImmediate);
  process.emit('SIGINT');
  const { status, stderr } = await running;
  t.equal(status, 130);
  t.match(stderr, /^grootvl: interrupted(; the scores are of \d+ of 64 images)?\n$/);
  t.equal(process.listenerCount('SIGINT'), before);
  t.match(await grootvl('evaluate', nano, '--mnist', at('idx'), '--workers', '0'), {
    status: 2,
    stderr: /expected an integer from 1 to \d+ \(8 a core\), or auto/,
  });
});

t.test('folders and lists of digits: as classify classifies them', async (t) => {
  const names = readdirSync(DIGITS).filter((name) => name.endsWith('.png'));
  const files = names.map((name) => join(DIGITS, name));
  const truths = names.map((name) => Number(/label-(\d)/.exec(name)?.[1]));
  const classified = JSON.parse((await grootvl('classify', nano, ...files, '--json')).stdout);
  const right = truths.filter((truth, i) => classified[i].predictions[0].index === truth).length;
  const ids = Array.from({ length: 10 }, (_, i) => `n0000000${i}`);
  for (const [i, file] of files.entries()) {
    for (const link of [`folders/val/${truths[i]}/${names[i]}`, `flat/${names[i]}`]) {
      mkdirSync(dirname(at(link)), { recursive: true });
      symlinkSync(file, at(link));
    }
  }
  for (const id of ids) mkdirSync(at('folders', 'val', id.slice(-1)), { recursive: true });
  const empty = ids.find((id) => readdirSync(at('folders', 'val', id.slice(-1))).length === 0);
  t.equal(empty, undefined, 'every digit occurs');
  const folders = await evaluated(nano, '--folders', at('folders'));
  t.match(folders, { status: 0, evaluated: names.length, top1: right / names.length });
  t.match(folders.dataset.classOrder, /alphabetical order; the model names none/);
  const map = write('map.txt', ids.join('\n'));
  const truth = write('truth.txt', names.map((name, i) => `${name} ${ids[truths[i]]}`).join('\n'));
  const flat = await evaluated(nano, '--imagenet', at('flat'), '--ground-truth', truth, '--class-order', map);
  t.match(flat, { status: 0, evaluated: names.length, top1: right / names.length });
  t.match(flat.dataset.classOrder, /order of .*map\.txt, the model names none/);

  write('folders/val/3/bad.png', 'no image');
  const some = await evaluated(nano, '--folders', at('folders'));
  t.match(some, { status: 3, evaluated: names.length, top1: right / names.length });
  t.match(some.failed, [{ file: at('folders/val/3/bad.png'), error: /not an image/ }]);
  t.match(
    some.stderr,
    /bad\.png: cannot read image .*\ngrootvl: 1 of \d+ images failed and are not in the scores/,
  );
  t.match(await grootvl('evaluate', nano, '--folders', at('folders'), '--strict'), {
    status: 1,
    stdout: '',
    stderr: /^grootvl: cannot read image .*bad\.png/,
  });
  for (const [i] of ids.entries()) write(`none/${i}/bad.png`, 'no image');
  t.match(await grootvl('evaluate', nano, '--folders', at('none'), '--json'), {
    status: 1,
    stdout: '',
    stderr: /grootvl: none of 10 images could be evaluated; the first: cannot read image/,
  });
});

const [width, height] = [96, 64];

/** Left half red, which is the segmenter's class 0, right half blue, its class 2. */
async function halves(path: string): Promise<string> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const isLeft = Math.floor(i / 3) % width < width / 2;
    return i % 3 === (isLeft ? 0 : 2) ? 250 : 0;
  });
  return write(
    path,
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}

/** The class of each column of pixels. */
async function annotation(path: string, classOf: (x: number) => number, rows = height): Promise<string> {
  const values = Uint8Array.from({ length: width * rows }, (_, i) => classOf(i % width));
  const grey = sharp(values, { raw: { width, height: rows, channels: 1 } }).toColourspace('b-w');
  return write(path, await grey.png().toBuffer());
}

t.test('ADE20K: classes from 1, 0 does not count, sums over all images', async (t) => {
  for (const name of ['a', 'b']) await halves(`ade/images/validation/${name}.png`);
  await annotation('ade/annotations/validation/a.png', (x) => (x === 0 ? 0 : x < 48 || x >= 86 ? 1 : 3));
  await annotation('ade/annotations/validation/b.png', (x) => (x < 48 ? 1 : 3));
  const run = await evaluated(segmenter, '--ade20k', at('ade'), '--confusion', at('pixels.png'));
  t.equal(run.status, 0, run.stderr);
  // Columns: 47 + 48 of class 0 are right, 10 of class 0 are taken for class 2, 38 + 48 of class 2 are right.
  const [first, last] = [95 / 105, 86 / 96];
  t.match(run, {
    evaluated: 2,
    meanIoU: (first + last) / 2,
    pixelAccuracy: 181 / 191,
    meanAccuracy: (95 / 105 + 1) / 2,
    pixels: 191 * height,
    classes: [
      { index: 0, label: 'wall', iou: first, accuracy: 95 / 105 },
      { index: 1, iou: null, accuracy: null },
      { index: 2, label: 'cat', iou: last, accuracy: 1 },
    ],
  });
  t.equal((await sharp(at('pixels.png')).metadata()).format, 'png');

  await halves('ade/images/validation/c.png');
  for (const name of ['d', 'e']) await halves(`ade/images/validation/${name}.png`);
  await annotation('ade/annotations/validation/d.png', () => 1, height - 1);
  await annotation('ade/annotations/validation/e.png', () => 4);
  const some = await evaluated(segmenter, '--ade20k', at('ade'));
  t.match(some, { status: 3, evaluated: 2, meanIoU: run.meanIoU });
  t.match(
    some.failed.map(({ error }: { error: string }) => error),
    [
      /cannot read the classes of .*annotations\/validation\/c\.png": no such file/,
      /d\.png" has 96 x 63 pixels, its image 96 x 64/,
      /e\.png: pixel 0 is of class 4, the model has 3 classes/,
    ],
  );
});

t.test('COCO: boxes by hand, masks as evaluateCoco compares what detect finds', async (t) => {
  const file = await halves('coco/images/000000000042.png');
  const [category_id, image_id] = [[5, 9], 42];
  const polygon = (x: number, y: number, w: number, h: number) => [[x, y, x + w, y, x + w, y + h, x, y + h]];
  const truth = {
    images: [{ id: image_id, file_name: '000000000042.png', width, height }],
    categories: category_id.map((id) => ({ id, name: `thing ${id}` })),
    annotations: [
      {
        image_id,
        category_id: 9,
        bbox: [24, 16, 48, 32],
        area: 768,
        iscrowd: 0,
        segmentation: polygon(24, 16, 24, 32),
      },
      {
        image_id,
        category_id: 5,
        bbox: [0, 0, 80, 32],
        area: 1536,
        iscrowd: 0,
        segmentation: polygon(0, 0, 48, 32),
      },
    ],
  };
  const annotations = (more: object = {}) =>
    write('coco/instances.json', JSON.stringify({ ...truth, ...more }));
  const run = await evaluated(detector, '--coco', annotations(), at('coco', 'images'));
  t.equal(run.status, 0, run.stderr);
  t.match(run.dataset.classOrder, /categories in the order of their ids; the model names others/);
  const near = (given: number, value: number) =>
    t.ok(Math.abs(given - value) < 1e-9, `${given}, expected ${value}`);
  // The object of category 9 is found exactly. The box of category 5 is 96 wide instead of 80: an IoU of 0.83, enough for seven
  // of ten thresholds.
  near(run.boxes.AP, (1 + 0.7) / 2);
  near(run.boxes.AP75, 1);
  t.equal(run.boxes.APlarge, null);
  const found: CocoResult[] = JSON.parse((await grootvl('detect', detector, file, '--coco')).stdout);
  const results = found.map((result) => ({ ...result, category_id: category_id[result.category_id - 1] }));
  const { encodePolygons } = await import('../../plugin/index.js');
  const truths = truth.annotations.map((object) => ({
    ...object,
    segmentation: encodePolygons(object.segmentation, { width, height }),
  })) as unknown as CocoAnnotation[];
  const masks = evaluateCoco(truths, results, { compare: 'masks' });
  t.ok(masks.AP > 0.5 && masks.AP <= 1);
  near(run.masks.AP, masks.AP);
  near(run.masks.AR100, masks.AR100);
  t.match(run.categories, [
    { id: 5, name: 'thing 5', masks: masks.categories.get(5)?.AP },
    { id: 9, name: 'thing 9' },
  ]);
  const { stdout } = await grootvl('evaluate', detector, '--coco', annotations(), at('coco', 'images'));
  t.match(stdout, /^1 image \(.*\)\n +boxes +masks\n {2}AP +0\.850 +\d\.\d{3}\n/);

  const boxes = { annotations: truth.annotations.map(({ segmentation, ...object }) => object) };
  const alone = await evaluated(detector, '--coco', annotations(boxes), at('coco', 'images'));
  t.match(alone.dataset.classOrder, /masks are not compared, as 2 of 2 objects have none/);
  t.same([alone.boxes.AP, alone.masks], [run.boxes.AP, undefined]);

  const images = { images: [...truth.images, { ...truth.images[0], id: 1, file_name: 'none.png' }] };
  const missing = await evaluated(detector, '--coco', annotations(images), at('coco', 'images'));
  t.match(missing, { status: 3, evaluated: 1, boxes: { AP: run.boxes.AP } });
  t.match(missing.failed, [{ file: /none\.png/, error: /cannot read image .*none\.png": no such file/ }]);
  const size = { images: [{ ...truth.images[0], width: 95 }], annotations: boxes.annotations };
  t.match(await grootvl('evaluate', detector, '--coco', annotations(size), at('coco', 'images')), {
    status: 1,
    stderr:
      /none of 1 images could be evaluated; the first: .*42\.png" has 96 x 64 pixels, its annotations are of 95 x 64/,
  });
  for (const [more, message] of [
    [{ annotations: [] }, /instances\.json: no annotations/],
    [{ annotations: [{ ...truth.annotations[0], category_id: 4 }] }, /annotations\[0\] is of the category 4/],
    [
      { categories: [{ id: 5, name: 'x' }], annotations: [truth.annotations[1]] },
      /has 1 categories, the model 2 classes/,
    ],
  ] as const) {
    t.match(await grootvl('evaluate', detector, '--coco', annotations(more), at('coco', 'images')), {
      status: 1,
      stdout: '',
      stderr: message,
    });
  }
  t.match(await grootvl('evaluate', detector, '--coco', annotations(), at('coco', 'no')), {
    status: 1,
    stderr: /cannot read the folder .*coco\/no": no such file/,
  });
});

t.test('bad usage is status 2, another kind of model and missing data status 1', async (t) => {
  for (const [message, ...args] of [
    [/missing required argument 'model-dir'/],
    [/no data set is named: expected one of --imagenet, --folders, --mnist, --ade20k, --coco/, nano],
    [/--imagenet and --folders are given: expected one of/, nano, '--imagenet', 'a', '--folders', 'b'],
    [/--coco takes a file of annotations and a folder of images, 1 paths are given/, detector, '--coco', 'a'],
    [/--mnist takes a folder, or files of images and labels, 3 paths/, nano, '--mnist', 'a', 'b', 'c'],
    [/--confusion is an option of .*, not of --coco/, detector, '--coco', 'a', 'b', '--confusion', 'c.png'],
    [/--bins is an option of .*, not of --ade20k/, segmenter, '--ade20k', 'a', '--bins', '3'],
    [
      /--ground-truth is an option of --imagenet, not of --folders/,
      nano,
      '--folders',
      'a',
      '--ground-truth',
      'b',
    ],
    [/images are written as \.png/, nano, '--folders', 'a', '--confusion', 'x.gif'],
    [/expected an integer of at least 1/, nano, '--folders', 'a', '--limit', '0'],
  ] as const) {
    const { status, stdout, stderr } = await grootvl('evaluate', ...args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, message);
    t.equal(stdout, '');
  }
  for (const [message, ...args] of [
    [/model\.json: this is not a GrootV-UperNet model/, nano, '--ade20k', at('ade')],
    [/model\.json: this is not a GrootV model/, segmenter, '--mnist', at('idx')],
    [/model\.json: there is no such file/, at('nowhere'), '--mnist', at('idx')],
    [/cannot open .*nowhere": no such file/, nano, '--mnist', at('nowhere')],
    [/holds no idx file of images/, nano, '--mnist', at('flat')],
    [/cannot read the folder .*nowhere": no such file/, nano, '--folders', at('nowhere')],
    [
      /the development kit's ids/,
      nano,
      '--imagenet',
      at('flat'),
      '--ground-truth',
      write('numbers.txt', '490\n361\n'),
    ],
    [
      /cannot write .*nowhere.c\.png/,
      nano,
      '--mnist',
      at('idx'),
      '--limit',
      '2',
      '--confusion',
      at('nowhere/c.png'),
    ],
  ] as const) {
    const { status, stderr } = await grootvl('evaluate', ...args);
    t.equal(status, 1, args.join(' '));
    t.match(stderr, message);
    t.match(stderr, /^grootvl: [^\n]*\n$/);
  }
  const labels = Buffer.from([0, 0, 8, 1, 0, 0, 0, 64, ...Array(63).fill(1), 10]);
  const wrong = await grootvl(
    'evaluate',
    nano,
    '--mnist',
    at('idx', 't10k-images-idx3-ubyte'),
    write('x', labels),
  );
  t.match(wrong, { status: 1, stderr: /label 63 is 10, the model has 10 classes/ });
  t.equal(readFileSync(at('idx', 't10k-labels-idx1-ubyte')).length, 72, 'nothing was changed');
});
