/** Inputs of commands: lists, folders, standard input, and paths that are not files. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { grootvl, grootvlProcess, grootvlWith, grootvlWithPackages } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const TINY = fixturePath('grootl/grootl_tiny') as string;
const DIGITS = join('examples', 'digits');
// Outside the checkout, so that its packages are not resolved.
const folder = mkdtempSync(join(tmpdir(), 'grootvl-inputs-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const model = at('model');

t.test('convert --force replaces a model, and nothing else', async (t) => {
  t.equal((await grootvl('convert', NANO, model)).status, 0);
  const whole = readdirSync(model).sort();
  writeFileSync(join(model, 'notes.txt'), 'kept');
  writeFileSync(join(model, 'group1-shard9of9.bin'), 'of some other model');
  const refused = await grootvl('convert', NANO, model);
  t.match(refused, { status: 1, stderr: /the directory exists and is not empty/ });
  const forced = await grootvl('convert', NANO, model, '--force', '--quantize', 'float16');
  t.equal(forced.status, 0, forced.stderr);
  t.same(readdirSync(model).sort(), [...whole, 'group1-shard9of9.bin', 'notes.txt'].sort());
  t.equal(
    JSON.parse(readFileSync(join(model, 'model.json'), 'utf8')).userDefinedMetadata.quantization,
    'float16',
  );
  const broken = await grootvl('convert', join(TINY, 'config.json'), model, '--force');
  t.equal(broken.status, 1);
  t.equal((await grootvl('classify', model, DIGITS)).status, 0, 'the model that was there still is');
});

t.test('an existing folder stays the same one', async (t) => {
  mkdirSync(at('private'), { mode: 0o700 });
  symlinkSync('private', at('to-private'));
  const { ino } = statSync(at('private'));
  const converted = await grootvl('convert', NANO, at('to-private'));
  t.equal(converted.status, 0, converted.stderr);
  t.equal(statSync(at('private')).ino, ino);
  t.equal(statSync(at('private')).mode & 0o777, 0o700);
  t.ok(existsSync(at('private/model.json')));
  t.equal((await grootvl('convert', at('none.pth'), at('new/parents/out'))).status, 1);
  t.equal((await grootvl('convert', join(TINY, 'config.json'), at('new/parents/out'))).status, 1);
  t.notOk(existsSync(at('new')), 'parents of a refused conversion are gone');
  const empty = await grootvlProcess({ cwd: folder }, 'convert', NANO, '');
  t.match(empty, { status: 2, stderr: /out-dir.*expected a path/ });
});

t.test('a list of images on standard input, and folders', async (t) => {
  mkdirSync(at('images/below'), { recursive: true });
  for (const [i, name] of ['b.png', 'a.PNG', 'below/c.png'].entries()) {
    copyFileSync(
      join(DIGITS, readdirSync(DIGITS).filter((file) => file.endsWith('.png'))[i]),
      at(`images/${name}`),
    );
  }
  writeFileSync(at('images/notes.txt'), '');
  const files = async (input: string, ...args: string[]) => {
    const { status, stdout, stderr } = await grootvlWith({ input }, 'classify', model, ...args, '--json');
    t.equal(status, 0, stderr);
    return JSON.parse(stdout).map(({ file }: { file: string }) => file.slice(folder.length + 1));
  };
  const all = ['images/a.PNG', 'images/b.png', 'images/below/c.png'];
  t.same(await files('', at('images')), all);
  t.same(await files(`${at('images/b.png')}\r\n\n${at('images/a.PNG')}\n`, '-'), [
    'images/b.png',
    'images/a.PNG',
  ]);
  t.same(await files(`${at('images/b.png')}\0${at('images/below')}\0`, '-'), [
    'images/b.png',
    'images/below/c.png',
  ]);
  mkdirSync(at('empty'));
  const none = await grootvl('classify', model, at('empty'));
  t.not(none.status, 0);
  t.match(none.stdout + none.stderr, /empty" holds no images; expected \.png/);
});

t.test('images and models by URL', async (t) => {
  const [digit] = readdirSync(DIGITS).filter((file) => file.endsWith('.png'));
  const server = createServer(({ url = '' }, response) => {
    const file = url === '/digit.png' ? join(DIGITS, digit) : at(url.slice(1));
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const byFile = await grootvl('classify', model, join(DIGITS, digit), '--json');
  const urls = [`${origin}/model`, `${origin}/digit.png`, `${origin}/none.png`];
  const byUrl = await grootvl('classify', ...urls, '--json');
  t.equal(byUrl.status, 3, 'one of two images is missing');
  const [row, missing] = JSON.parse(byUrl.stdout);
  t.same(row.predictions, JSON.parse(byFile.stdout)[0].predictions);
  t.equal(row.file, `${origin}/digit.png`);
  t.match(missing, { file: `${origin}/none.png`, error: /the server answered 404/ });
});

t.test('what is not a file is refused quickly, in one line', async (t) => {
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('/dev/zero', at('zero'));
  const url = 'https://example.org/model.pth';
  for (const [message, ...args] of [
    [/pipe": it is not a regular file/, 'inspect', at('pipe')],
    [/zero": it is not a regular file/, 'convert', at('zero'), at('no')],
    [/pipe": it is not a regular file/, 'convert', NANO, at('no'), '--classes', at('pipe')],
    [/pipe": it is not a regular file/, 'run', model, '--input', at('pipe'), '--output', at('no')],
    [/not a regular file/, 'classify', model, at('pipe')],
    [/not a regular file/, 'classify', model, at('zero')],
    [/cannot be read from standard input/, 'inspect', '-'],
    [/is not fetched; download it/, 'inspect', url],
    [/is not fetched; download it/, 'convert', url, at('no')],
    [/empty" holds no case files/, 'conformance', '--cases', at('empty')],
  ] as const) {
    const { status, stdout, stderr } = await grootvl(...args);
    t.not(status, 0, args.join(' '));
    t.match(stdout + stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.notOk(existsSync(at('no')));
  }
});

t.test('texts of standard input', async (t) => {
  const language = at('language');
  t.equal((await grootvl('convert', TINY, language)).status, 0);
  const given = await grootvl('generate', language, '--prompt', 'The maintainer', '--max-tokens', '2');
  const options = ['--prompt', '-', '--max-tokens', '2'];
  for (const input of ['The maintainer', 'The maintainer\n', 'The maintainer\r\n']) {
    const { stdout } = await grootvlWith({ input }, 'generate', language, ...options);
    t.equal(stdout, given.stdout, JSON.stringify(input));
  }
  const score = await grootvlWith(
    { input: 'The' },
    'score',
    language,
    '--context',
    '-',
    '--continuation',
    ' x',
    '--json',
  );
  t.match(JSON.parse(score.stdout), { backend: 'wasm', tokens: [{}] });
  t.match(await grootvlWith({ input: Uint8Array.of(0xff) }, 'generate', language, ...options), {
    status: 1,
    stderr: 'grootvl: standard input is not UTF-8; expected a text\n',
  });
});

t.test('packages that are not installed', async (t) => {
  const install = /is not installed: npm install @tensorflow\/tfjs-core .*@tensorflow\/tfjs-backend-wasm\n$/;
  t.match(await grootvlWithPackages(at('nothing'), [], '--help'), {
    status: 0,
    stderr: '',
    stdout: /classify/,
  });
  for (const [i, args] of [
    ['classify', model, DIGITS],
    ['generate', model, '--prompt', 'x'],
  ].entries()) {
    const outcome = await grootvlWithPackages(at(`nothing${i}`), [], ...args);
    t.match(outcome, { status: 1, stdout: '', stderr: install }, args[0]);
    t.equal(outcome.stderr.trim().split('\n').length, 1);
  }
  const image = join(DIGITS, 'digit-00-label-7.png');
  const some = ['tfjs-core', 'tfjs-converter', 'tfjs-backend-cpu'];
  const withoutWasm = await grootvlWithPackages(at('without-wasm'), some, 'classify', model, image, '--json');
  t.match(withoutWasm, { status: 0, stderr: /npm install @tensorflow\/tfjs-backend-wasm \(slower/ });
  t.equal(JSON.parse(withoutWasm.stdout)[0].backend, 'cpu');
  const byName = await grootvlWithPackages(
    at('by-name'),
    some,
    'classify',
    model,
    image,
    '--backend',
    'wasm',
  );
  t.match(byName, {
    status: 1,
    stderr: /'wasm' needs the package @tensorflow\/tfjs-backend-wasm: npm install/,
  });
});
