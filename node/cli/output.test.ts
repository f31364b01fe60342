/** Output of commands: pipes, full disks, control characters, and outputs that are not regular files. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  MadeOrderedDict,
  madeTensor,
  type Picklable,
  torchZipBytes,
} from '../../converters/pytorch/testing/torch_writer.js';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { grootVShapes, randomState } from '../../testing/checkpoints.js';
import { grootvl, grootvlWith, shell } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const folder = t.testdir();
const at = (name: string) => join(folder, name);
const UNSAFE = /[^\P{Cc}\n]|[\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const HOSTILE = '\x1b]0;pwned\x07\x1b[2J\x9b31mred\r\n  99.9 %  forged\u202eabc\u2028';

t.test('a closed pipe ends quietly', async (t) => {
  for (const command of [`inspect ${NANO}`, `inspect ${NANO} --json`, '--help', 'convert --help']) {
    const { stdout, stderr } = await shell(`grootvl ${command} | true; echo "\${PIPESTATUS[0]}"`);
    t.same([stdout, stderr], ['0\n', ''], command);
  }
  const both = await shell(`grootvl inspect ${NANO} 2>&1 | true; echo "\${PIPESTATUS[0]}"`);
  t.equal(both.stdout, '0\n');
});

t.test('a full disk is an error', async (t) => {
  for (const command of [`inspect ${NANO}`, `inspect ${NANO} --json`, '--version', 'convert --help']) {
    const { status, stderr } = await shell(`grootvl ${command} > /dev/full`);
    t.equal(status, 1, command);
    t.equal(stderr, 'grootvl: cannot write to standard output: no space left on the device\n');
  }
  const { status } = await shell(`grootvl inspect ${NANO} > /dev/full 2>&1`);
  t.equal(status, 1, 'with nowhere to say so');
  t.equal((await shell(`grootvl inspect ${at('none')} 2> /dev/full`)).status, 1);
});

t.test('names in checkpoints cannot reach the terminal', async (t) => {
  const state = new Map<string, Picklable>(
    randomState(grootVShapes({ channels: 8, depths: [1, 1], classes: 2 })),
  );
  const root = new Map<Picklable, Picklable>([
    ['model', new MadeOrderedDict(state)],
    [HOSTILE, 1],
    ['long'.repeat(100_000), 2],
  ]);
  writeFileSync(at(`${HOSTILE.replaceAll('\n', '')}.pth`), await torchZipBytes(root));
  const file = at(`${HOSTILE.replaceAll('\n', '')}.pth`);
  for (const args of [
    ['inspect', file],
    ['convert', file, at('model')],
    ['inspect', file, '--json'],
  ]) {
    const { status, stdout, stderr } = await grootvl(...args);
    t.equal(status, 0, stderr);
    t.notMatch(stdout, UNSAFE, args[0]);
    if (args.includes('--json')) t.match(JSON.parse(stdout).ignored, [{ name: HOSTILE }]);
    else t.ok(stdout.length < 5000 && !stdout.includes('\n  99.9 %  forged'), stdout);
  }
  const missing = await grootvl('inspect', at(HOSTILE));
  t.equal(missing.status, 1);
  t.notMatch(missing.stderr, UNSAFE, 'file names in messages');
  t.equal(missing.stderr.trim().split('\n').length, 1);
  t.notMatch((await grootvl(HOSTILE.replace('\r', ''))).stderr, UNSAFE, 'unknown commands');

  writeFileSync(at('names.json'), JSON.stringify([HOSTILE, 'ok']));
  t.equal((await grootvl('convert', file, at('named'), '--classes', at('names.json'))).status, 0);
  const image =
    fixturePath('../examples/digits/digit-00-label-7.png') ??
    join('examples', 'digits', 'digit-00-label-7.png');
  const text = await grootvl('classify', at('named'), image);
  t.equal(text.status, 0, text.stderr);
  t.notMatch(text.stdout, UNSAFE, 'labels');
  t.equal(text.stdout.trim().split('\n').length, 3, 'a label cannot forge a row');
  const json = await grootvl('classify', at('named'), image, '--json');
  t.notMatch(json.stdout, UNSAFE);
  t.ok(JSON.parse(json.stdout)[0].predictions.some(({ label }: { label: string }) => label === HOSTILE));

  const data = new Float32Array(1);
  writeFileSync(at('in.safetensors'), encodeSafetensors([{ name: HOSTILE, dtype: 'F32', shape: [1], data }]));
  const run = await grootvl('run', at('named'), '--input', at('in.safetensors'), '--output', at('none'));
  t.equal(run.status, 1);
  t.notMatch(run.stderr, UNSAFE, 'names of nodes');
});

t.test('colours where they are asked for, and no other sequences', async (t) => {
  const conformance = ['conformance', '--backends', 'cpu', '--cases', at('cases'), '--no-generated'];
  await shell(`mkdir ${at('cases')}`);
  const value = madeTensor('float32', [1], new Float32Array(1)).storage.bytes as Uint8Array;
  writeFileSync(
    at('cases/odd.safetensors'),
    encodeSafetensors([{ name: HOSTILE, dtype: 'F32', shape: [1], data: value }]),
  );
  const plain = await grootvl(...conformance);
  t.equal(plain.status, 0, plain.stderr);
  t.notMatch(plain.stdout, UNSAFE);
  const coloured = await grootvlWith({ env: { FORCE_COLOR: '1' } }, ...conformance);
  t.match(coloured.stdout, '\x1b[90mskip');
  t.notMatch(coloured.stdout.replace(/\p{Cc}\[\d+m/gu, ''), UNSAFE);
  const report = await grootvl(...conformance, '--report', at('report.html'));
  t.equal(report.status, 0, report.stderr);
  t.notMatch(readFileSync(at('report.html'), 'utf8'), UNSAFE);
});

t.test('--output into pipes, links and standard output', async (t) => {
  const args = ['run', at('named'), '--input', at('image.safetensors'), '--output'];
  const data = new Uint8Array(32 * 32 * 3);
  writeFileSync(
    at('image.safetensors'),
    encodeSafetensors([{ name: 'image', dtype: 'U8', shape: [1, 32, 32, 3], data }]),
  );
  const file = await grootvl(...args, at('out'));
  t.match(file, { status: 0, stdout: /^written to .*out \(wasm\)\n$/ });
  const expected = readFileSync(at('out'));
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('target', at('link'));
  const piped = await shell(`cat pipe > copy & grootvl ${args.join(' ')} pipe; wait`, { cwd: folder });
  t.equal(piped.status, 0, piped.stderr);
  t.ok(lstatSync(at('pipe')).isFIFO());
  t.same(readFileSync(at('copy')), expected);
  t.equal((await grootvl(...args, at('link'))).status, 0);
  t.ok(lstatSync(at('link')).isSymbolicLink());
  t.same(readFileSync(at('target')), expected);
  for (const output of ['-', '/proc/self/fd/1']) {
    const { stderr } = await shell(`grootvl ${args.join(' ')} ${output} > copy`, { cwd: folder });
    t.same(readFileSync(at('copy')), expected, output);
    t.match(stderr, /^written to/, 'what is not a result is not among it');
  }
  t.match(await grootvl(...args, folder), { status: 1, stderr: /cannot write .*": it is a directory\n$/ });
  t.match(await grootvl(...args, ''), { status: 2, stderr: /expected a path/ });
});
