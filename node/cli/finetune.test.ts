/** `grootvl finetune`: adapters for other commands, invalid rows, interruptions. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { grootvl } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';

const TINY = fixturePath('grootl/grootl_tiny') as string;
const folder = t.testdir();

const data = join(folder, 'data.jsonl');
const rows = [
  { instruction: 'Name the capital of Italy.', input: '', output: 'Rome.' },
  { instruction: 'Name the capital of Kenya.', output: 'Nairobi.' },
  { prompt: 'Two and two is', completion: ' four' },
];
writeFileSync(data, rows.map((row) => JSON.stringify(row)).join('\n'));
/** A few quick steps. */
const QUICK = ['--backend', 'wasm', '--steps', '3', '--batch', '2', '--learning-rate', '0.005'];

const weightsOf = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));

t.test('an adapter', async (t) => {
  const out = join(folder, 'adapter');
  const { status, stdout, stderr } = await grootvl(
    'finetune',
    TINY,
    data,
    '--lora',
    '4',
    '--out',
    out,
    ...QUICK,
  );
  t.same([status, stderr], [0, '']);
  const [, first, last] =
    /^3 texts, 3 steps, loss ([\d.]+) to ([\d.]+) \(wasm\)\nwritten to /.exec(stdout) ?? [];
  t.ok(Number(last) < Number(first), stdout);
  t.same(readdirSync(out).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  t.match(JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')), {
    peft_type: 'LORA',
    r: 4,
    lora_alpha: 8,
    target_modules: ['in_proj', 'x_proj', 'out_proj', 'embeddings'],
    base_model_name_or_path: TINY,
  });
  t.match(await grootvl('convert', TINY, join(folder, 'merged'), '--lora', out), { status: 0 });
  const model = join(folder, 'model');
  await grootvl('convert', TINY, model);
  const score = ['score', model, '--context', 'Two and two is', '--continuation', ' four', '--json'];
  const before = JSON.parse((await grootvl(...score)).stdout).logprob;
  t.ok(JSON.parse((await grootvl(...score, '--lora', out)).stdout).logprob > before, 'it has learnt');

  const again = join(folder, 'again');
  const converted = await grootvl('finetune', model, data, '--lora', '4', '--out', again, ...QUICK);
  t.match(converted, { status: 0, stderr: '' });
  t.ok(weightsOf(again).equals(weightsOf(out)), 'of a converted model the same');
  t.match(await grootvl('finetune', TINY, data, '--out', out, ...QUICK), {
    status: 1,
    stderr: /the directory exists and is not empty/,
  });
  t.match(await grootvl('finetune', TINY, data, '--out', out, '--force', '--lora', '2', ...QUICK), {
    status: 0,
  });
  t.equal(JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')).r, 2);
});

t.test('rows that cannot be used are lines, and the others are learnt', async (t) => {
  const file = join(folder, 'partly.jsonl');
  writeFileSync(file, `{"prompt": "x"}\n${JSON.stringify(rows[2])}\nnot JSON\n`);
  const out = join(folder, 'partly');
  const { status, stdout, stderr } = await grootvl('finetune', TINY, file, '--out', out, ...QUICK);
  t.equal(status, 3);
  t.match(stdout, /^1 texts, 3 steps/);
  const lines = stderr.trim().split('\n');
  t.equal(lines.length, 2);
  t.match(lines[0], /^grootvl: .*partly.jsonl row 1: has no "completion", expected/);
  t.match(lines[1], /row 3: is not JSON$/);
  t.ok(existsSync(join(out, 'adapter_model.safetensors')));
});

t.test('all parameters', async (t) => {
  const out = join(folder, 'model.safetensors');
  const { status, stdout, stderr } = await grootvl('finetune', TINY, data, '--full', '--out', out, ...QUICK);
  t.same([status, stderr], [0, '']);
  t.match(stdout, /^3 texts, 3 steps/);
  const trained = join(folder, 'trained');
  cpSync(TINY, trained, { recursive: true });
  cpSync(out, join(trained, 'model.safetensors'));
  t.match(await grootvl('convert', trained, join(folder, 'trained-model')), {
    status: 0,
    stderr: '',
    stdout: /163,712/,
  });
});

/** Runs the command, and sends SIGINT as soon as it trains and `isTime`. */
async function interrupted(args: readonly string[], isTime = () => true) {
  const listeners = process.listenerCount('SIGINT');
  const running = grootvl('finetune', ...args);
  const interrupt = setInterval(() => {
    // Without a listener of the command SIGINT would end the test.
    if (process.listenerCount('SIGINT') === listeners || !isTime()) return;
    clearInterval(interrupt);
    process.emit('SIGINT', 'SIGINT');
  }, 20);
  try {
    return await running;
  } finally {
    clearInterval(interrupt);
  }
}

t.test('Ctrl-C saves', async (t) => {
  const out = join(folder, 'interrupted');
  const long = ['--backend', 'wasm', '--steps', '100000', '--batch', '1'];
  const { status, stdout } = await interrupted([TINY, data, '--out', out, ...long]);
  t.equal(status, 0);
  t.match(stdout, /interrupted after \d+ of 100000 steps/);
  t.ok(existsSync(join(out, 'adapter_model.safetensors')));
});

t.test('--resume continues to the same adapter', async (t) => {
  const other = join(folder, 'other.jsonl');
  writeFileSync(other, JSON.stringify(rows[2]));
  const [whole, parts] = ['whole', 'parts'].map((name) => join(folder, name));
  const options = ['--backend', 'wasm', '--steps', '12', '--batch', '1', '--lora', '2', '--dropout', '0.1'];
  const states = join(`${parts}.run`, 'checkpoints');
  const begun = [TINY, data, '--out', parts, ...options];
  const first = await interrupted([...begun, '--save-every', '2'], () => existsSync(states));
  t.match(first.stdout, /interrupted after \d+ of 12 steps/);
  for (const [args, status, message] of [
    [begun, 1, /parts.run: a training was interrupted; --resume continues it, --force begins anew\n$/],
    [[...begun, '--resume', '--seed', '9'], 2, /--seed: the run began with 0; a continued run has the same/],
    [[TINY, data, '--out', whole, '--resume'], 1, /whole.run.*no such file/],
    [[TINY, other, '--out', parts, '--resume'], 1, /--resume: the data are others than the run began with/],
  ] as const) {
    const outcome = await grootvl('finetune', ...args);
    t.match([outcome.status, outcome.stderr], [status, message]);
  }
  const resumed = await grootvl('finetune', TINY, data, '--out', parts, '--resume', '--backend', 'wasm');
  t.match(resumed, { status: 0, stdout: /^3 texts, 12 steps/ });
  t.notOk(existsSync(`${parts}.run`), 'the states are gone when the training is done');
  t.match(await grootvl('finetune', TINY, data, '--out', whole, ...options), { status: 0 });
  t.ok(weightsOf(parts).equals(weightsOf(whole)), 'as an uninterrupted one');
});

t.test('what goes wrong', async (t) => {
  const out = join(folder, 'none');
  const empty = join(folder, 'empty.jsonl');
  writeFileSync(empty, '\n');
  for (const [args, status, message] of [
    [[TINY, data], 2, /required option '--out/],
    [[TINY, data, '--out', out, '--lora', '0'], 2, /expected an integer of at least 1/],
    [[TINY, data, '--out', out, '--alpha', '0'], 2, /expected a number above 0/],
    [[TINY, data, '--out', out, '--full', '--lora', '4'], 1, /--lora is for adapters, --full trains all/],
    [[TINY, data, '--out', out, '--targets', 'q_proj'], 1, /targets names "q_proj", expected .*in_proj/],
    [[TINY, empty, '--out', out], 1, /has no row that can be learnt/],
    [[TINY, join(folder, 'nowhere'), '--out', out], 1, /nowhere": no such file/],
    [[join(folder, 'nowhere'), data, '--out', out], 1, /nowhere": no such directory/],
    [[TINY, data, '--out', out, ...QUICK, '--learning-rate', '1e38'], 1, /^grootvl: step \d: .* not finite/],
  ] as const) {
    const outcome = await grootvl('finetune', ...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr, message);
    t.notOk(existsSync(out), 'nothing is left behind');
  }
});
