/** `segment` and `detect`: results, files, several images, bad usage. The models are test doubles. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import type { MemorySink } from '../../converters/index.js';
import { decodeRle } from '../../plugin/index.js';
import { grootvl, grootvlWith } from '../../testing/command_line.js';
import { stubDetector, stubSegmenter } from '../../testing/stub_models.js';

const PHOTO = fileURLToPath(new URL('../../examples/photos/chelsea.png', import.meta.url));
const folder = t.testdir();
const at = (name: string) => join(folder, name);

function written(name: string, sink: MemorySink): string {
  mkdirSync(at(name));
  for (const [file, bytes] of sink.files) writeFileSync(join(at(name), file), bytes);
  return at(name);
}

const segmenter = written('segmenter', await stubSegmenter());
const detector = written('detector', await stubDetector());

/** Left half red, right half blue. */
const halves = at('halves_000000000042.png');
const { width, height } = { width: 96, height: 64 };
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
  const isLeft = Math.floor(i / 3) % width < width / 2;
  return i % 3 === (isLeft ? 0 : 2) ? 250 : 0;
});
writeFileSync(
  halves,
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer(),
);

t.test('segment: shares, an image, class indices', async (t) => {
  const args = ['segment', segmenter, halves, '--out', at('seg.png'), '--mask', at('mask.png')];
  const { status, stdout, stderr } = await grootvl(...args);
  t.equal(status, 0, stderr);
  t.match(
    stdout,
    /halves_000000000042\.png: 96 x 64 \([\d.]+ ms, wasm\)\n {3}50\.0 % {2}wall\n {3}50\.0 % {2}cat\n/,
  );
  t.match(stdout, /written to .*seg\.png and .*mask\.png\n$/);
  t.equal((await sharp(at('seg.png')).metadata()).width, 1120);
  const mask = await sharp(at('mask.png')).toColourspace('b-w').raw().toBuffer();
  t.equal(mask.length, width * height);
  t.same([mask[0], mask[width - 1], mask[40 * width + 20]], [0, 2, 0]);
  for (const mode of ['whole', 'slide']) {
    const json = await grootvl('segment', segmenter, halves, '--mode', mode, '--json', '--backend', 'cpu');
    const [row] = JSON.parse(json.stdout);
    t.match(row, { file: halves, width, height, backend: 'cpu' });
    t.same(row.classes, [
      { index: 0, label: 'wall', share: 0.5 },
      { index: 2, label: 'cat', share: 0.5 },
    ]);
  }
});

t.test('detect: objects, an image, the format of COCO', async (t) => {
  const { status, stdout, stderr } = await grootvl('detect', detector, halves, '--out', at('boxes.jpg'));
  t.equal(status, 0, stderr);
  t.match(
    stdout,
    /42\.png: 96 x 64, 2 objects \([\d.]+ ms, wasm\)\n {2}0\.90 {2}class 1 {2}24,16 to 72,48\n/,
  );
  t.match(await sharp(at('boxes.jpg')).metadata(), { format: 'jpeg', width: 1120 });
  const json = await grootvl('detect', detector, halves, '--threshold', '0.1', '--json');
  const [row] = JSON.parse(json.stdout);
  t.equal(row.detections.length, 3);
  t.match(row.detections[1], { label: 'class 0', index: 0 });
  t.notOk('mask' in row.detections[0]);
  const coco = await grootvl('detect', detector, halves, PHOTO, '--coco');
  const results = JSON.parse(coco.stdout);
  t.equal(results.length, 6, 'three of each image, also those of low scores');
  t.match(results[0], { image_id: 42, category_id: 2 });
  t.equal(results[3].image_id, 'chelsea');
  t.same(results[0].bbox.map(Math.round), [24, 16, 48, 32]);
  const mask = decodeRle(results[0].segmentation);
  t.same(results[0].segmentation.size, [height, width]);
  t.equal(mask[32 * width + 30] - mask[32 * width + 66], 1, 'the left half');
});

t.test('several images: a folder of results, a bad one is a row and status 3', async (t) => {
  const bad = at('bad.png');
  writeFileSync(bad, 'no image');
  const args = ['segment', segmenter, halves, bad, halves, '--out', at('results/all'), '--json'];
  const { status, stdout, stderr } = await grootvl(...args);
  t.equal(status, 3);
  t.match(stderr, /^grootvl: 1 of 3 images failed; the first: cannot read image .*bad\.png/);
  const rows = JSON.parse(stdout);
  t.match(rows[1], { file: bad, error: /not an image/ });
  t.same(readdirSync(at('results/all')).sort(), ['halves_000000000042-2.png', 'halves_000000000042.png']);
  t.equal(rows[2].out, at('results/all/halves_000000000042-2.png'));
  const coco = await grootvl('detect', detector, bad, halves, '--coco', '--out', `${at('drawn')}/`);
  t.equal(coco.status, 3);
  t.match(coco.stderr, /bad\.png: cannot read image/);
  t.equal(JSON.parse(coco.stdout).length, 3);
  t.same(readdirSync(at('drawn')), ['halves_000000000042.png']);
  t.match(await grootvl('detect', detector, bad), {
    status: 1,
    stdout: '',
    stderr: /^[^\n]*not an image[^\n]*\n$/,
  });
});

t.test('what is there stays until a result is complete', async (t) => {
  writeFileSync(at('kept.png'), 'before');
  t.equal((await grootvl('segment', segmenter, at('none.png'), '--out', at('kept.png'))).status, 1);
  t.equal(readFileSync(at('kept.png'), 'utf8'), 'before');
  const nowhere = await grootvl('segment', segmenter, halves, '--mask', at('nowhere/mask.png'));
  t.match(nowhere, { status: 1, stderr: /cannot write .*nowhere\/mask\.png": its folder does not exist/ });
});

t.test('bad usage is exit 2, another kind of model exit 1', async (t) => {
  for (const [message, ...args] of [
    [/missing required argument/, 'segment', segmenter],
    [/Allowed choices are whole, slide/, 'segment', segmenter, halves, '--mode', 'half'],
    [/class indices are written as \.png/, 'segment', segmenter, halves, '--mask', at('x.jpg')],
    [/images are written as \.png/, 'segment', segmenter, halves, '--out', at('x.gif')],
    [
      /x\.png" names one file, several images were given: expected a folder/,
      'segment',
      segmenter,
      halves,
      PHOTO,
      '--out',
      at('x.png'),
    ],
    [/standard output takes one of/, 'segment', segmenter, halves, '--json', '--out', '-'],
    [/standard output takes one of/, 'segment', segmenter, halves, '--mask', '-', '--out', '-'],
    [/expected a number from 0 to 1/, 'detect', detector, halves, '--threshold', '2'],
    [/standard output takes one of/, 'detect', detector, halves, '--coco', '--out', '-'],
  ] as const) {
    const { status, stdout, stderr } = await grootvl(...args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, message);
    t.equal(stdout, '');
  }
  t.notOk(existsSync(at('x.png')));
  for (const [command, model, family] of [
    ['segment', detector, 'GrootV-UperNet'],
    ['detect', segmenter, 'GrootV-MaskRCNN'],
    ['classify', segmenter, 'GrootV'],
  ]) {
    t.match(await grootvl(command, model, halves), {
      status: 1,
      stdout: '',
      stderr: new RegExp(`this is not a ${family} model: its metadata names no such architecture\\n$`),
    });
  }
});

t.test('a signal ends segment with whole images, and --resume does the others', async (t) => {
  const names = [0, 1, 2, 3].map((i) => at(`signal${i}.png`));
  for (const name of names) writeFileSync(name, readFileSync(halves));
  const out = at('signalled');
  const args = ['segment', segmenter, '-', '--out', `${out}/`, '--rows', at('signalled.ndjson')];
  const input = (async function* () {
    yield Buffer.from(`${names.slice(0, 2).join('\n')}\n`);
    while (!existsSync(join(out, 'signal1.png'))) await new Promise((resolve) => setTimeout(resolve, 20));
    process.emit('SIGINT', 'SIGINT');
    await new Promise(() => {});
  })();
  const stopped = await grootvlWith({ input }, ...args, '--batch', '1');
  t.match(stopped, { status: 130, stderr: /^grootvl: interrupted; --resume continues/ });
  const written = readdirSync(out);
  t.same(written, ['signal0.png', 'signal1.png'], 'nothing half written');
  for (const name of written) t.equal((await sharp(join(out, name)).stats()).channels.length, 3, name);
  const resumed = await grootvlWith({ input: names.join('\n') }, ...args, '--resume');
  t.match(resumed, { status: 0, stdout: /^4 rows written/ });
  const rows = readFileSync(at('signalled.ndjson'), 'utf8').trim().split('\n');
  t.same(
    rows.map((row) => JSON.parse(row).file),
    names,
    'every image once',
  );
  t.equal(readdirSync(out).length, 4);
});
