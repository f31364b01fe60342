/** `grootvl finetune`: adapters that other commands read, rows that cannot be used, interruptions. */
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
  const weights = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
  t.ok(weights(again).equals(weights(out)), 'of a converted model the same');
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

t.test('Ctrl-C saves', async (t) => {
  const listeners = process.listenerCount('SIGINT');
  const out = join(folder, 'interrupted');
  const long = ['--backend', 'wasm', '--steps', '100000', '--batch', '1'];
  const running = grootvl('finetune', TINY, data, '--out', out, ...long);
  const interrupt = setInterval(() => {
    // Without a listener of the command it would end the test.
    if (process.listenerCount('SIGINT') > listeners) process.emit('SIGINT');
  }, 200);
  const { status, stdout } = await running;
  clearInterval(interrupt);
  t.equal(status, 0);
  t.match(stdout, /interrupted after \d+ of 100000 steps/);
  t.ok(existsSync(join(out, 'adapter_model.safetensors')));
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
    [[TINY, join(folder, 'nowhere'), '--out', out], 1, /nowhere: no such file/],
    [[join(folder, 'nowhere'), data, '--out', out], 1, /nowhere: no such directory/],
    [[TINY, data, '--out', out, ...QUICK, '--learning-rate', '1e38'], 1, /^grootvl: step \d: .* not finite/],
  ] as const) {
    const outcome = await grootvl('finetune', ...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr, message);
    t.notOk(existsSync(out), 'nothing is left behind');
  }
});
