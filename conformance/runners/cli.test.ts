import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import t from 'tap';
import { addConformance } from '../../node/cli/conformance.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/grootv/${name}`, import.meta.url));

/** Runs the command and gives what it printed and its exit status. */
async function run(...args: string[]): Promise<{ output: string; status: number | string | undefined }> {
  const program = new Command('grootvl').exitOverride();
  addConformance(program);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
  const lines: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => lines.push(text) > 0) as typeof write;
  process.exitCode = undefined;
  try {
    await program.parseAsync(['conformance', ...args], { from: 'user' });
    return { output: lines.join(''), status: process.exitCode };
  } finally {
    process.stdout.write = write;
    process.exitCode = undefined;
  }
}

t.test('verdicts, reports and exit status', async (t) => {
  const folder = t.testdir({ cases: { deep: {} } });
  const bytes = new Uint8Array(await readFile(fixture('treescan_mst5x9_D16.safetensors')));
  await mkdir(join(folder, 'cases/deep'), { recursive: true });
  await writeFile(join(folder, 'cases/deep/other_name.safetensors'), bytes);
  const common = ['--backends', 'cpu', '--cases', join(folder, 'cases'), '--no-generated'];

  const good = await run(...common, '--report', join(folder, 'report.html'));
  t.equal(good.status, undefined);
  t.match(good.output, /\w+ gradient +1 pass/);
  t.match(await readFile(join(folder, 'report.html'), 'utf8'), /^<!doctype html>/);

  const json = JSON.parse((await run(...common, '--json')).output);
  t.match(json, {
    environment: { seed: Number },
    summary: { pass: 2, fail: 0 },
    cases: [{ case: 'other_name' }],
  });

  // The last float of the file belongs to an expected value.
  const view = new DataView(bytes.buffer);
  view.setFloat32(bytes.length - 4, view.getFloat32(bytes.length - 4, true) + 1e-2, true);
  await writeFile(join(folder, 'cases/deep/other_name.safetensors'), bytes);
  const bad = await run(...common, '--report', join(folder, 'report.json'));
  t.equal(bad.status, 1);
  t.ok(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')).summary.fail > 0);
});

t.test('a backend that is not there', async (t) => {
  Object.assign(process.env, { GROOTVL_CUDA: 'device', CUDA_VISIBLE_DEVICES: '' }); // also where there is a GPU
  const folder = t.testdir({});
  await copyFile(fixture('mst_grid1x2_random.safetensors'), join(folder, 'a.safetensors'));
  const skipped = await run('--backends', 'cpu,cuda', '--cases', folder, '--no-generated');
  t.equal(skipped.status, undefined);
  t.match(skipped.output, /skip {2}cuda/);
  t.equal((await run('--backends', 'cuda', '--cases', folder, '--no-generated', '--require')).status, 1);
  t.equal(
    (await run('--backends', 'cuda', '--cases', folder, '--no-generated', '--require', 'cpu')).status,
    undefined,
  );
});

t.test('bad usage', async (t) => {
  const invalid = { code: 'commander.invalidArgument' };
  await t.rejects(run('--backends', 'cpu,tpu'), { ...invalid, message: /there is no backend tpu/ });
  await t.rejects(run('--backends', ','), invalid);
  await t.rejects(run('--report', 'x.txt'), { ...invalid, message: /\.json or \.html/ });
  await t.rejects(run('--seed', '1.5'), invalid);
  await t.rejects(
    run('--cases', '/nowhere/at/all'),
    /cannot read the folder \/nowhere\/at\/all: it does not exist/,
  );
  for (const empty of [t.testdir({}), t.testdir({ deep: { 'README.md': 'no cases' } })]) {
    await t.rejects(run('--cases', empty), /holds no case files; expected \.safetensors files/);
  }
});
