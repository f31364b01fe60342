/** The commands for language models. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAMBA_130M, writeMamba } from '../../bench/random_mamba.js';
import { grootLShapes } from '../../converters/architectures/grootl/architecture.js';
import { grootvl, grootvlProcess } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const TINY = fixturePath('grootl/grootl_tiny') as string;
const ADAPTER = fixturePath('grootl/grootl_tiny_lora') as string;
const expected = JSON.parse(readFileSync(join(TINY, 'expected.json'), 'utf8'));
const folder = t.testdir();
const model = join(folder, 'model');

t.test('inspect', async (t) => {
  const { status, stdout, stderr } = await grootvl('inspect', TINY, '--json');
  t.same([status, stderr], [0, '']);
  t.match(JSON.parse(stdout), {
    architecture: 'GrootL',
    channels: 64,
    depths: [3],
    classes: 1024,
    parameters: 163712,
    weightsUsed: 'model.safetensors',
    ignored: [],
  });
  t.match((await grootvl('inspect', TINY)).stdout, /architecture {2}GrootL \(tree scan\)/);
  t.match((await grootvl('inspect', TINY, '--lora', ADAPTER)).stdout, /adapter {7}adapter_model.safetensors/);
});

t.test('convert', async (t) => {
  t.match(await grootvl('convert', TINY, model), { status: 0, stderr: '' });
  for (const file of ['model.json', 'decode.json', 'tokenizer.json'])
    t.ok(existsSync(join(model, file)), file);
  const chain = await grootvl('convert', TINY, join(folder, 'chain'), '--scan', 'chain', '--lora', ADAPTER);
  t.match(chain, { status: 0, stdout: /Mamba \(chain scan\)[\s\S]*adapter {7}adapter_model.safetensors/ });
  for (const [args, message] of [
    [[TINY, join(folder, 'x'), '--weights', 'model_ema'], /--weights is for checkpoints of GrootV/],
    [[TINY, join(folder, 'x'), '--classes', 'x.json'], /--classes is for checkpoints of GrootV/],
    [
      [join(TINY, 'model.safetensors'), join(folder, 'x'), '--lora', ADAPTER],
      /--lora is for the folder of a language model/,
    ],
    [[ADAPTER, join(folder, 'x')], /has no config.json: it is not a HuggingFace model/],
    [[TINY, join(folder, 'x'), '--lora', TINY], /has no adapter_config.json/],
    [[TINY, join(folder, 'x'), '--lora', 'nowhere'], /nowhere": no such directory/],
  ] as const) {
    const { status, stdout, stderr } = await grootvl('convert', ...args);
    t.same([status, stdout], [1, '']);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
    t.notOk(existsSync(join(folder, 'x')), 'nothing is left behind');
  }
  t.equal((await grootvl('convert', TINY, join(folder, 'x'), '--scan', 'ring')).status, 2);
  for (const [name, value] of [
    ['--scan raster', ['--scan', 'raster']],
    ['--metric', ['--metric', 'euclidean']],
    ['--trees', ['--trees', 'stage']],
    ['--aggregate', ['--aggregate', 'root']],
  ] as const) {
    const { status, stderr } = await grootvl('convert', TINY, join(folder, 'x'), ...value);
    t.equal(status, 1);
    t.match(stderr, `${name} is for checkpoints of GrootV, not for the folder of a language model`);
  }
});

t.test('generate', async (t) => {
  const { prompt, tree_ids, tree_text } = expected.greedy.at(-1);
  const { status, stdout } = await grootvl('generate', model, '--prompt', prompt, '--json');
  t.equal(status, 0);
  const result = JSON.parse(stdout);
  t.same(Object.keys(result), ['prompt', 'tokens', 'text', 'stop', 'backend', 'prefillMs', 'msPerToken']);
  t.match(result, { prompt, tokens: tree_ids, text: tree_text, stop: 'eos', backend: 'wasm' });
  const shown = await grootvl('generate', model, '--prompt', prompt);
  t.equal(shown.stderr, '');
  t.equal(shown.stdout, `${prompt}${tree_text.replace('<|endoftext|>', '')}\n`);
  const short = [
    '--max-tokens',
    '3',
    '--temperature',
    '0.9',
    '--top-k',
    '5',
    '--top-p',
    '0.9',
    '--seed',
    '7',
  ];
  const first = await grootvl('generate', model, '--prompt', prompt, ...short);
  t.equal(first.stdout, (await grootvl('generate', model, '--prompt', prompt, ...short)).stdout, 'a seed');
  const cpu = await grootvl('generate', model, '--prompt', prompt, '--json', '--backend', 'cpu');
  t.match(JSON.parse(cpu.stdout), { tokens: tree_ids, backend: 'cpu' });
});

t.test('score', async (t) => {
  const wanted = expected.loglikelihood[0];
  const args = ['score', model, '--context', wanted.context, '--continuation', wanted.continuation];
  const { status, stdout } = await grootvl(...args, '--json');
  t.equal(status, 0);
  const result = JSON.parse(stdout);
  t.ok(Math.abs(result.logprob - wanted.tree_sum_logprob) <= 1e-3);
  t.equal(result.isGreedy, wanted.tree_is_greedy);
  t.same(
    result.tokens.map(({ id }: { id: number }) => id),
    wanted.continuation_ids,
  );
  t.match((await grootvl(...args)).stdout, /^log-probability -1\.370/);
});

t.test('an adapter that is attached', async (t) => {
  const context = ['--context', 'Name the capital of Italy.', '--continuation', ' Rome', '--json'];
  const [plain, attached] = [
    await grootvl('score', model, ...context),
    await grootvl('score', model, ...context, '--lora', ADAPTER),
  ];
  t.same([attached.status, attached.stderr], [0, '']);
  t.not(JSON.parse(attached.stdout).logprob, JSON.parse(plain.stdout).logprob);
  const text = await grootvl('generate', model, '--prompt', 'Name', '--max-tokens', '2', '--lora', ADAPTER);
  t.match(text, { status: 0, stdout: /^Name/ });
});

t.test('weights of 16 and 8 bits', async (t) => {
  const { prompt, tree_ids } = expected.greedy.at(-1);
  for (const type of ['float16', 'uint8']) {
    const quantized = join(folder, type);
    t.equal((await grootvl('convert', TINY, quantized, '--quantize', type)).status, 0);
    const { stdout } = await grootvl('generate', quantized, '--prompt', prompt, '--json');
    t.same(JSON.parse(stdout).tokens, tree_ids, type);
  }
});

t.test('mamba-130m-hf by its names and shapes, in little memory', async (t) => {
  const { keys } = JSON.parse(readFileSync(fixturePath('grootl/mamba_130m_keys.json') as string, 'utf8'));
  const names = (keys as { name: string; shape: number[] }[]).filter(({ name }) => name !== 'lm_head.weight');
  t.same(
    Object.fromEntries(grootLShapes(MAMBA_130M)),
    Object.fromEntries(names.map((k) => [k.name, k.shape])),
  );
  const large = join(folder, 'large');
  mkdirSync(large);
  await writeMamba(large, MAMBA_130M);
  const { status, stdout, peak } = await grootvlProcess(
    {},
    'convert',
    large,
    join(folder, 'large-model'),
    '--quantize',
    'uint8',
  );
  t.equal(status, 0);
  t.match(stdout, /129,135,360 in 242 tensors/);
  t.ok(peak < 1500, `peak ${Math.round(peak)} MB`);
});

t.test('what goes wrong', async (t) => {
  for (const [args, status, message] of [
    [['generate', model], 2, /required option '--prompt/],
    [['generate', model, '--prompt', 'x', '--max-tokens', '0'], 2, /expected an integer of at least 1/],
    [['generate', model, '--prompt', 'x', '--temperature', 'hot'], 2, /expected a number of at least 0/],
    [['generate', model, '--prompt', 'x', '--top-p', '2'], 1, /topP is 2/],
    [['generate', join(folder, 'none'), '--prompt', 'x'], 1, /none": no such directory/],
    [['generate', model, '--prompt', 'x', '--lora', TINY], 1, /has no adapter_config.json/],
    [['generate', model, '--prompt', 'x', '--lora', 'nowhere'], 1, /nowhere": no such directory/],
    [['score', model, '--context', 'x'], 2, /required option '--continuation/],
    [['score', model, '--context', 'x', '--continuation', ''], 1, /the continuation has no tokens/],
    [['classify', model, 'x.png'], 1, /this is not a GrootV model/],
  ] as const) {
    const outcome = await grootvl(...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr, message);
    t.equal(outcome.stdout, '');
  }
});
