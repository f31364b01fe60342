/** `erf`: figures, a heat map, unreadable images, bad usage. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { grootvl, grootvlWith, shell } from '../../testing/command_line.js';
import { DIGITS, digitModelFolder, SEVEN, TWO } from '../../testing/digit_model.js';
import { fixturePath } from '../../testing/fixtures.js';

const { at, model } = digitModelFolder(t);
const erf = (...args: string[]) => grootvl('erf', model, ...args);

t.test('figures as text and as JSON, and a heat map', async (t) => {
  const text = await erf(SEVEN, TWO, '--size', '32', '--out', at('erf.png'), '--backend', 'wasm');
  t.match(text, { status: 0, stderr: '' });
  t.match(text.stdout, /^contributions of 2 images of 32 x 32 pixels to the middle of features_3 \(/);
  t.match(text.stdout, / 20\.0 % within +\d+ x \d+ pixels, +\d+\.\d % of the area\n/);
  t.match(text.stdout, / {2}written to .*erf\.png\n$/);
  t.match(await sharp(at('erf.png')).metadata(), { width: 1120, height: 1120 });

  const json = await erf(SEVEN, '--level', '0', '--scale', 'root', '--json');
  t.equal(json.stderr, '');
  const measured = JSON.parse(json.stdout);
  t.match(measured, { size: 64, level: 0, images: 1, scale: 'root', failed: [] });
  t.same(
    measured.squares.map(({ share }: { share: number }) => share),
    [0.2, 0.3, 0.5, 0.99],
  );
  for (const { side, areaRatio } of measured.squares) t.equal(areaRatio, (side / 64) ** 2);
  t.equal(measured.values, undefined, 'figures alone');
});

t.test('images that cannot be read are rows, the others are done', async (t) => {
  const text = await erf(at('bad.jpg'), SEVEN, at('gone.png'), '--size', '32');
  t.equal(text.status, 3);
  t.match(text.stdout, /bad\.jpg: cannot read image .*\n.*gone\.png": .*\ncontributions of 1 image of 32/);
  t.match(text.stderr, /^grootvl: 2 of 3 images failed; the first: cannot read image [^\n]*\n$/);

  const json = await erf(at('bad.jpg'), SEVEN, TWO, '--size', '32', '--json');
  t.equal(json.status, 3);
  t.match(JSON.parse(json.stdout), { images: 2, failed: [{ file: at('bad.jpg'), error: /cannot read/ }] });

  t.match(await erf(at('bad.jpg')), {
    status: 1,
    stdout: '',
    stderr: /^grootvl: cannot read image .*bad\.jpg/,
  });
  t.match(await erf(at('bad.jpg'), at('gone.png'), '--out', at('none.png')), {
    status: 1,
    stdout: '',
    stderr: /^grootvl: none of 2 images could be read; the first: cannot read image .*bad\.jpg/,
  });
});

t.test('folders, patterns, names on standard input, and a limit', async (t) => {
  const limited = await erf(DIGITS, '--limit', '2', '--size', '32', '--json');
  const pair = await grootvlWith(
    { input: `${SEVEN}\n${TWO}\n` },
    'erf',
    model,
    '-',
    '--size',
    '32',
    '--json',
  );
  const pattern = await erf(join(DIGITS, 'digit-0[01]-*.png'), '--size', '32', '--json');
  const [first, second, third] = [limited, pair, pattern].map(({ stdout }) => JSON.parse(stdout));
  t.equal(first.images, 2);
  t.same(first.squares, second.squares, 'the first two of the folder');
  t.same(third.squares, second.squares);
});

t.test('the heat map on standard output, what is said of it beside', async (t) => {
  const command = `grootvl erf ${model} ${SEVEN} --size 32 --out - --backend wasm`;
  const { stdout, stderr } = await shell(`${command} | cat > ${at('piped.png')}`);
  t.equal(stdout, '');
  t.match(await sharp(at('piped.png')).metadata(), { format: 'png', width: 1120 });
  t.match(stderr, /^contributions of 1 image/);
});

t.test('bad usage', async (t) => {
  for (const [args, status, message] of [
    [['--level', '4'], 1, /level is 4, expected an integer from 0 to 3/],
    [['--size', '8000'], 1, /needs about \d+\.\d GB of memory.*choose a smaller size/],
    [['--size', '7'], 2, /expected an integer of at least 8/],
    [['--scale', 'linear'], 2, /Allowed choices are log, root/],
    [['--out', 'erf.bmp'], 2, /\.png/],
    [['--out', '-', '--json'], 2, /standard output takes one of --json and --out/],
  ] as const) {
    const outcome = await erf(SEVEN, ...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr, message);
  }
  await grootvl('convert', fixturePath('grootl/grootl_tiny') as string, at('language'));
  t.match(await grootvl('erf', at('language'), SEVEN), {
    status: 1,
    stderr: /is a language model, expected a model of images\n$/,
  });
  t.ok(readFileSync(at('bad.jpg')).length > 0, 'inputs are left alone');
});
