/** The commands over images: many, very thin, and with EXIF orientation. */
import { existsSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import { grootvl, grootvlRuns } from '../../testing/command_line.js';
import { digitModelFolder, SEVEN, TWO } from '../../testing/digit_model.js';

const { at, model } = digitModelFolder(t);

/** A grey image. */
async function blank(name: string, width: number, height: number): Promise<string> {
  await sharp({ create: { width, height, channels: 3, background: '#888' } })
    .png()
    .toFile(at(name));
  return at(name);
}

t.test('one bad image of several is a row, the others are done', async (t) => {
  const json = await grootvl('classify', model, SEVEN, at('bad.jpg'), at('gone.png'), TWO, '--json');
  t.equal(json.status, 3);
  const rows = JSON.parse(json.stdout);
  t.match(rows, [
    { file: SEVEN, predictions: [{ label: '7' }] },
    { file: at('bad.jpg'), error: /not an image in a known format/ },
    { file: at('gone.png'), error: /no such file/ },
    { file: TWO, predictions: [{ label: '2' }] },
  ]);
  t.same(Object.keys(rows[1]).sort(), ['error', 'file']);
  t.match(json.stderr, /^grootvl: 2 of 4 images failed; the first: cannot read image .*bad\.jpg[^\n]*\n$/);

  const text = await grootvl('classify', model, at('bad.jpg'), SEVEN);
  t.equal(text.status, 3);
  t.match(text.stdout, /bad\.jpg: cannot read image .*\n.*digit-00-label-7\.png .*\n.*100\.0 % {2}7\n/);

  const alone = await grootvl('classify', model, at('bad.jpg'), '--json');
  t.match(alone, { status: 1, stdout: '', stderr: /^grootvl: cannot read image .*bad\.jpg": not an image/ });
});

t.test('thin images: classified in little memory, not enlarged to millions of pixels', async (t) => {
  const thin = [await blank('tall.png', 1, 60_000), await blank('wide.png', 60_000, 1)];
  const drawn = thin.flatMap((file) => [
    ['tree', model, file, '--out', at('thin.png')],
    ['affinity', model, file, '--at', '0,0', '--out', at('thin.png')],
  ]);
  const { outcomes, peak } = await grootvlRuns([
    ['classify', model, ...thin, '--json', '--backend', 'wasm'],
    ...drawn,
  ]);
  const [{ status, stdout }, ...refused] = outcomes;
  t.equal(status, 0);
  t.equal(JSON.parse(stdout).length, 2);
  for (const [i, outcome] of refused.entries()) {
    t.equal(outcome.status, 1, drawn[i][0]);
    t.match(
      outcome.stderr,
      /has \d+ x \d+ pixels and would be enlarged to .*, 246 million pixels: choose a --size of at most 11, or crop it\n$/,
    );
  }
  t.ok(peak < 400, `peak ${peak} MB`);
  const huge = await grootvl('tree', model, thin[0], '--size', '40', '--out', at('thin.png'));
  t.match(huge, {
    status: 1,
    stderr: /needs about \d+\.\d GB of memory, at most 3\.5 GB .*\(--size on the command line\)/,
  });
  t.notOk(existsSync(at('thin.png')));
  const short = await blank('short.png', 1, 500);
  t.match(await grootvl('tree', model, short, '--size', '8', '--out', at('thin.png')), {
    status: 0,
    stderr: '',
  });
});

t.test('large work is announced', async (t) => {
  const file = await blank('square.png', 30, 20);
  const { status, stderr } = await grootvl(
    'tree',
    model,
    file,
    '--size',
    '1200',
    '--out',
    at('t.png'),
    '--backend',
    'wasm',
  );
  t.equal(status, 0, stderr);
  t.match(stderr, /^grootvl: the model sees 1800 x 1200 pixels: about 0\.2 GB of memory and \d+ s\n$/);
});

t.test('images stand upright, and are written in the format of their name', async (t) => {
  const { width, height } = { width: 60, height: 40 };
  await sharp({ create: { width, height, channels: 3, background: '#888' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(at('phone.jpg'));
  for (const [command, ...options] of [['tree'], ['affinity', '--at', '39,59']]) {
    const { status, stderr } = await grootvl(
      command,
      model,
      at('phone.jpg'),
      ...options,
      '--out',
      at('upright.jpg'),
    );
    t.equal(status, 0, stderr);
    const drawn = await sharp(at('upright.jpg')).metadata();
    t.match(drawn, { format: 'jpeg', width: 747, height: 1120 }, command);
  }
});
