/** The program around the commands: usage, exit status, one-line errors, standard input. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { grootvl, grootvlProcess } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = join(ROOT, 'examples', 'digits');
const folder = t.testdir();
const at = (name: string) => join(folder, name);

const NANO = fixturePath('grootv/grootv_nano_mnist.pth') as string;
const model = at('nano');
await grootvl('convert', NANO, model);

t.test('bad usage is exit 2, help and version are 0', async (t) => {
  for (const args of [
    [],
    ['nope'],
    ['convert', NANO],
    ['classify', model],
    ['inspect', NANO, '--nope'],
    ['convert', NANO, at('x'), '--quantize', 'int4'],
    ['classify', model, 'x.png', '--backend', 'tpu'],
    ['classify', model, 'x.png', '--top', '0'],
    ['affinity', model, 'x.png', '--at', 'here', '--out', 'y.png'],
    ['tree', model, 'x.png'],
  ]) {
    const { status, stderr, stdout } = await grootvl(...args);
    t.equal(status, 2, `grootvl ${args.join(' ')}`);
    t.ok(stderr.length > 0 && stdout === '', stderr);
  }
  t.match(await grootvl('--help'), { status: 0, stdout: /inspect.*convert.*classify/s });
  t.match(await grootvl('--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('the program in a process: exit status, output, standard input', async (t) => {
  t.match(await grootvlProcess({}, '--version'), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' });
  t.match(await grootvlProcess({}, 'nope'), { status: 2, stdout: '', stderr: /unknown command 'nope'/ });
  t.match(await grootvlProcess({}, 'inspect', at('missing.pth')), {
    status: 1,
    stdout: '',
    stderr: /^grootvl: cannot open [^\n]*\n$/,
  });
  const input = `${join(DIGITS, 'digit-00-label-7.png')}\n${at('missing.png')}\n`;
  const classified = await grootvlProcess({ input }, 'classify', model, '-', '--json');
  t.match(classified, { status: 3, stderr: /^grootvl: 1 of 2 images failed; [^\n]*\n$/ });
  t.match(JSON.parse(classified.stdout), [{ predictions: [{ label: '7' }] }, { error: /no such file/ }]);
});

t.test('commands load no more than they need', async (t) => {
  const hook =
    'export async function load(url,context,next){if(!url.startsWith("node:"))process._rawDebug(url);return next(url,context)}';
  const preload = `data:text/javascript,import{register}from"node:module";register(${JSON.stringify(`data:text/javascript,${hook}`)})`;
  const loadedBy = async (...args: string[]) => {
    const { status, stderr } = await grootvlProcess({ preload }, ...args);
    t.equal(status, 0, stderr);
    const modules = stderr.trim().split('\n');
    t.ok(modules.some((url) => url.endsWith('/cli/main.js')));
    return modules;
  };
  for (const option of ['--version', '--help']) {
    const modules = await loadedBy(option);
    t.ok(modules.length < 12, `${modules}`);
  }
  // Loading tfjs takes longer than a small conversion.
  const converting = await loadedBy('convert', NANO, at('int8'), '--quantize', 'int8');
  t.same(
    converting.filter((url) => url.includes('@tensorflow')),
    [],
  );
});

t.test('what fails is exit 1 and one line', async (t) => {
  writeFileSync(at('full'), '');
  const cases: [RegExp, ...string[]][] = [
    [/cannot open .*missing\.pth": no such file/, 'inspect', at('missing.pth')],
    [/has no config\.json: it is not a HuggingFace model/, 'convert', folder, at('no')],
    [/directory exists and is not empty/, 'convert', NANO, folder],
    [/it is not a directory/, 'convert', NANO, at('full')],
    [/no such file/, 'convert', NANO, at('no'), '--classes', at('missing.json')],
    [/1 class names were given, the model has 10 classes/, 'convert', NANO, at('no'), '--classes', one()],
    [/nowhere": no such directory/, 'classify', at('nowhere'), 'x.png'],
    [/no such file|missing/i, 'classify', model, at('missing.png')],
    [/not an image|cannot/i, 'classify', model, at('names1.json')],
    [
      /checkpoint has no weights "model_ema"/,
      'convert',
      fixturePath('grootv/grootv_tiny_fp16.pth') as string,
      at('no'),
      '--weights',
      'model_ema',
    ],
  ];
  for (const [message, ...args] of cases) {
    const { status, stdout, stderr } = await grootvl(...args);
    t.equal(status, 1, `grootvl ${args.join(' ')}: ${stderr}`);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.equal(stdout, '');
  }
  t.notOk(existsSync(at('no')));
  const env = { CUDA_VISIBLE_DEVICES: '' }; // even if there is a GPU
  const cuda = await grootvlProcess({ env }, 'classify', model, 'x.png', '--backend', 'cuda');
  t.match(cuda, { status: 1, stdout: '', stderr: /cuda: .*(libcuda\.so\.1|not there|no .*GPU|device)/i });
  t.equal(cuda.stderr.trim().split('\n').length, 1, cuda.stderr);
  const debug = await grootvl('--debug', 'inspect', at('missing.pth'));
  t.match(debug.stderr, /\n {4}at /, '--debug shows the stack');
});

function one(): string {
  writeFileSync(at('names1.json'), '["a"]');
  return at('names1.json');
}
