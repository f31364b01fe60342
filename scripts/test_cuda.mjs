/**
 * `npm run test:cuda`: everything that needs a GPU, on the GPU of this machine: the driver interface and the backend by
 * their own tests, the conformance suite, tfjs-core's own specs, and the bench; with compute-sanitizer's memcheck and
 * racecheck where that is installed. It runs what `npm run build` has made, with node alone: there need be no npm and no
 * compiler. `--out FILE` also writes outcomes and figures as JSON, after every part; `--only NAME,...` runs some parts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hasProgram, ROOT } from './setup.mjs';

const env = { ...process.env, GROOTVL_CUDA: 'device' };
const CLI = 'dist/node/cli/main.js';
const TAP = 'node_modules/tap/dist/esm/run.mjs';
const SPECS = 'gpu/cuda/backend/testing/tfjs_core/run.mjs';
const conformance = [CLI, 'conformance', '--backends', 'cuda', '--require'];
const scratch = mkdtempSync(join(tmpdir(), 'grootvl-'));
const figures = join(scratch, 'bench.json');

/** @returns a part that runs under compute-sanitizer */
function sanitizer(tool) {
  // Errors of calls are checked by the addon, which provokes some: a kernel is looked for in one module after another.
  const options = ['--tool', tool, '--report-api-errors', 'no', '--error-exitcode', '1'];
  return {
    command: ['compute-sanitizer', ...options, process.execPath, ...conformance],
    missing: () => !hasProgram('compute-sanitizer') && 'compute-sanitizer is not installed',
  };
}

/** tap takes every file of a folder that it is given for a test. */
function testFiles(folder) {
  const names = readdirSync(join(ROOT, folder), { recursive: true });
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => join(folder, name));
}

/** By name: what runs, and why it cannot, if it cannot. Those that take longest come last. */
const PARTS = {
  bench: { command: [process.execPath, CLI, 'bench', '--backends', 'cuda', '--out', figures] },
  conformance: { command: [process.execPath, ...conformance] },
  specs: { command: [process.execPath, SPECS] },
  tests: {
    command: [process.execPath, TAP, 'run', '--reporter=base', ...testFiles('gpu/cuda')],
    missing: () => !existsSync(join(ROOT, TAP)) && `${TAP} is not there`,
  },
  memcheck: sanitizer('memcheck'),
  racecheck: sanitizer('racecheck'),
};

/** The description of the device. Without one there is nothing to test: says why, and ends the process. */
function openDevice() {
  const open = `import('./dist/gpu/cuda/index.js').then(async ({ ready, deviceDescription }) => {
    await ready();
    console.log(JSON.stringify(deviceDescription()));
  })`;
  const options = { cwd: ROOT, env, encoding: 'utf8' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--eval', open], options);
  if (status === 0) return JSON.parse(stdout);
  const isMissing = !existsSync(join(ROOT, 'dist/gpu/cuda/index.js'));
  const reason = isMissing
    ? 'dist/ is not there: npm run build makes it'
    : /CudaUnavailableError: (.*)/.exec(stderr)?.[1];
  console.error(reason ?? stderr);
  process.exit(1);
}

/** @returns the outcome `passed`, `failed` or `skipped`, with its reason */
function runPart({ command: [program, ...args], missing }) {
  const reason = missing?.();
  if (reason) return { outcome: 'skipped', reason };
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, env, stdio: 'inherit' });
  if (status === 0) return { outcome: 'passed' };
  return {
    outcome: 'failed',
    reason: error?.message ?? (signal ? `ended by ${signal}` : `status ${status}`),
  };
}

function main() {
  const { values } = parseArgs({ options: { out: { type: 'string' }, only: { type: 'string' } } });
  const chosen = values.only?.split(',') ?? Object.keys(PARTS);
  const unknown = chosen.find((name) => !(name in PARTS));
  if (unknown !== undefined) {
    console.error(`--only ${unknown}: there are ${Object.keys(PARTS).join(', ')}`);
    process.exit(2);
  }
  const out = values.out && resolve(values.out);
  const report = { device: openDevice(), date: new Date().toISOString(), parts: {}, bench: null };
  for (const name of chosen) {
    console.log(`\n== ${name}`);
    const start = performance.now();
    const outcome = runPart(PARTS[name]);
    report.parts[name] = { ...outcome, seconds: Math.round((performance.now() - start) / 1000) };
    if (existsSync(figures)) report.bench = JSON.parse(readFileSync(figures, 'utf8'));
    if (out) writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  }
  console.log(`\n${report.device.name}, CUDA ${report.device.driverVersion}`);
  for (const [name, { outcome, reason, seconds }] of Object.entries(report.parts)) {
    console.log(`${name}: ${outcome}${reason ? `, ${reason}` : ` in ${seconds} s`}`);
  }
  if (Object.values(report.parts).some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
}

process.on('exit', () => rmSync(scratch, { recursive: true }));
main();
