import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { grootvl, grootvlWith } from '../../testing/command_line.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/grootv/${name}`, import.meta.url));

const run = (...args: string[]) => grootvl('conformance', ...args);

t.test('verdicts, reports and exit status', async (t) => {
  const folder = t.testdir({ cases: { deep: {} } });
  const bytes = new Uint8Array(await readFile(fixture('treescan_mst5x9_D16.safetensors')));
  await mkdir(join(folder, 'cases/deep'), { recursive: true });
  await writeFile(join(folder, 'cases/deep/other_name.safetensors'), bytes);
  const common = ['--backends', 'cpu', '--cases', join(folder, 'cases'), '--no-generated'];

  const good = await run(...common, '--report', join(folder, 'report.html'));
  t.equal(good.status, 0);
  t.match(good.stdout, /\w+ gradient +1 pass/);
  t.match(await readFile(join(folder, 'report.html'), 'utf8'), /^<!doctype html>/);

  const json = JSON.parse((await run(...common, '--json')).stdout);
  t.match(json, {
    environment: { seed: Number },
    summary: { pass: 2, fail: 0 },
    cases: [{ case: 'other_name' }],
  });

  const only = (...expressions: string[]) => run(...common, '--json', '--only', ...expressions);
  t.match(JSON.parse((await only('gradient: other')).stdout), { summary: { pass: 1 } });
  t.match(await only('training'), { status: 1, stderr: /no case matches training/ });

  // The last float of the file is part of an expected value.
  const view = new DataView(bytes.buffer);
  view.setFloat32(bytes.length - 4, view.getFloat32(bytes.length - 4, true) + 1e-2, true);
  await writeFile(join(folder, 'cases/deep/other_name.safetensors'), bytes);
  const bad = await run(...common, '--report', join(folder, 'report.json'));
  t.equal(bad.status, 1);
  t.ok(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')).summary.fail > 0);
});

t.test('a backend that is not there', async (t) => {
  const env = { GROOTVL_CUDA: 'device', CUDA_VISIBLE_DEVICES: '' }; // even if there is a GPU
  const folder = t.testdir({});
  await copyFile(fixture('mst_grid1x2_random.safetensors'), join(folder, 'a.safetensors'));
  const run = (backends: string, ...args: string[]) => {
    const cases = ['--backends', backends, '--cases', folder, '--no-generated'];
    return grootvlWith({ env }, 'conformance', ...cases, ...args);
  };
  t.match(await run('cpu,cuda'), { status: 0, stdout: /skip {2}cuda/ });
  t.match(await run('cuda', '--require'), { status: 1, stderr: '' });
  t.match(await run('cuda', '--require', 'cpu'), { status: 0 });
});

t.test('bad usage', async (t) => {
  for (const [message, ...args] of [
    [/there is no backend tpu/, '--backends', 'cpu,tpu'],
    [/expected at least one name/, '--backends', ','],
    [/\.json or \.html/, '--report', 'x.txt'],
    [/expected an integer/, '--seed', '1.5'],
    [/expected a regular expression/, '--only', '('],
  ] as const) {
    t.match(await run(...args), { status: 2, stdout: '', stderr: message }, args.join(' '));
  }
  const missing = await run('--cases', '/nowhere/at/all');
  t.match(missing, { status: 1, stderr: /cannot read the folder "\/nowhere\/at\/all": it does not exist/ });
  for (const empty of [t.testdir({}), t.testdir({ deep: { 'README.md': 'no cases' } })]) {
    const stderr = /holds no case files; expected \.safetensors files/;
    t.match(await run('--cases', empty), { status: 1, stderr });
  }
});
