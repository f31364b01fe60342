/** `grootvl train`: the files of a run, resuming, Ctrl-C, and error messages. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { grootvl } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = join(ROOT, 'examples', 'digits');
const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const FASHION = fixturePath('training/fashion-images-idx3-ubyte.gz') as string;
const folder = t.testdir();
const at = (...names: string[]) => join(folder, ...names);

/** A run that takes a second. */
const small = (out: string, ...more: string[]) => [
  'train',
  NANO,
  FASHION,
  '--out',
  at(out),
  '--image-size',
  '16',
  '--batch',
  '4',
  '--limit',
  '24',
  '--steps',
  '4',
  ...more,
];
const everything = [
  '--new-head',
  '--augment',
  '--mixup',
  '0.8',
  '--ema',
  '0.9',
  '--drop-path',
  '0.2',
  '--save-every',
  '2',
];

t.test('a run leaves the model, states and curves', async (t) => {
  const heldOut = ['--validation', FASHION, '--validation-limit', '8', '--evaluate-every', '2', '--json'];
  const { status, stdout, stderr } = await grootvl(...small('whole', ...everything, ...heldOut));
  t.equal(status, 0, stderr);
  t.equal(stderr, '', 'no progress in a pipe');
  const result = JSON.parse(stdout);
  t.match(result, { steps: 4, stopped: 'finished', model: at('whole/model'), heldOut: {}, backend: /./ });
  t.ok(result.loss > 1 && result.loss < 4 && result.heldOut.loss > 1 && result.heldOut.loss < 4, stdout);
  t.same(readdirSync(at('whole')).sort(), [
    'checkpoints',
    'curves.csv',
    'curves.png',
    'model',
    'model.safetensors',
    'run.json',
  ]);
  t.same(readdirSync(at('whole/checkpoints')), ['00000002', '00000004']);
  const rows = readFileSync(at('whole/curves.csv'), 'utf8').trim().split('\n');
  t.equal(rows[0], 'step,loss,accuracy,learningRate,gradientNorm,heldOutLoss,heldOutAccuracy');
  t.equal(rows.length, 1 + 4 + 2);
  t.match(await sharp(at('whole/curves.png')).metadata(), { width: 1120, height: 1020 });

  await t.test('the model is a model, in the size that it was trained with', async (t) => {
    const digit = join(DIGITS, 'digit-00-label-7.png');
    const classified = await grootvl('classify', at('whole/model'), digit, '--json');
    t.equal(JSON.parse(classified.stdout)[0].predictions.length, 5, classified.stderr);
    const { preprocessing } = JSON.parse(
      readFileSync(at('whole/model/model.json'), 'utf8'),
    ).userDefinedMetadata;
    t.equal(preprocessing.size, 16);
    const converted = await grootvl('convert', at('whole/model.safetensors'), at('converted'));
    t.equal(converted.status, 0, converted.stderr);
    const shard = 'group1-shard1of1.bin';
    t.ok(
      readFileSync(at('converted', shard)).equals(readFileSync(at('whole/model', shard))),
      'the same weights',
    );
  });
});

t.test('a run that is ended continues to the same weights, bit for bit', async (t) => {
  const options = ['--steps', '10', '--backend', 'wasm', ...everything];
  const uninterrupted = await grootvl(...small('once', ...options));
  t.equal(uninterrupted.status, 0, uninterrupted.stderr);
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGKILL', null],
  ] as const) {
    const out = at(signal);
    const main = join(ROOT, 'dist', 'node', 'cli', 'main.js');
    const command = ['-u', 'NODE_OPTIONS', process.execPath, main, ...small(signal, ...options)];
    const child = spawn('env', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    while (child.exitCode === null && !existsSync(join(out, 'checkpoints', '00000002'))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    child.kill(signal);
    t.equal(await ended, status, stderr);
    if (signal === 'SIGINT') t.equal(stderr, `grootvl: interrupted; --resume continues ${out}\n`);
    t.notOk(existsSync(join(out, 'model')), 'it has not come to its end');
    const continued = await grootvl('train', NANO, FASHION, '--out', out, '--resume', '--backend', 'wasm');
    t.equal(continued.status, 0, continued.stderr);
    for (const file of ['model.safetensors', 'curves.csv']) {
      t.ok(readFileSync(join(out, file)).equals(readFileSync(at('once', file))), `${signal}: ${file}`);
    }
  }
});

t.test('mistakes are told in one line', async (t) => {
  const digits = at('digits');
  for (const name of readdirSync(DIGITS).filter((name) => /label-[123].png$/.test(name))) {
    const label = /label-(\d)/.exec(name)?.[1] as string;
    mkdirSync(join(digits, `digit ${label}`), { recursive: true });
    copyFileSync(join(DIGITS, name), join(digits, `digit ${label}`, name));
  }
  writeFileSync(
    at('order.safetensors'),
    encodeSafetensors([{ name: 'x', dtype: 'I32', shape: [1], data: new Int32Array(1) }]),
  );
  await grootvl(...small('short', '--steps', '1'));
  const resumed = ['train', NANO, FASHION, '--out', at('short'), '--resume'];
  for (const [args, status, message] of [
    [small('x', '--epochs', '1'), 2, /--steps and --epochs: expected one of them/],
    [
      small('x', '--clip', '-1'),
      2,
      /--clip <norm>' argument '-1' is invalid. expected a number of at least 0/,
    ],
    [
      ['train', NANO, digits, '--out', at('x')],
      1,
      /digits has 3 classes, the model 10; train a new classifier for them \(newHead; --new-head/,
    ],
    [small('short'), 1, /cannot write to .*short": the directory exists and is not empty/],
    [
      ['train', NANO, FASHION, '--out', at('none'), '--resume'],
      1,
      /cannot open .*none\/run.json": no such file/,
    ],
    [[...resumed, '--seed', '3'], 2, /--seed: the run began with 0; a continued run has the same options/],
    [[...resumed.slice(0, 2), digits, ...resumed.slice(3)], 1, /digits has 3 classes/],
    [
      small('x', '--order', at('order.safetensors')),
      1,
      /order.safetensors: expected a tensor named index, int32/,
    ],
    [small('x', '--freeze', 'levels.9'), 1, /levels\.9/],
    [small('x', '--patience', '2'), 2, /--patience needs held-out images/],
    [
      small('x', '--learning-rate', '1e38', '--clip', '0'),
      1,
      /step \d: the loss is (NaN|-?Infinity) at a learning rate of .*; the first tensor that is not finite: /,
    ],
  ] as const) {
    const outcome = await grootvl(...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr.split('\n')[0], message);
    t.equal(outcome.stdout, '');
  }
});
