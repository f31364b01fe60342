/** Shared by `npm run test:cuda` and `npm run test:webgpu`: runs parts one after the other and records their outcomes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup.mjs';

export const CLI = 'dist/node/cli/main.js';
const TAP = 'node_modules/tap/dist/esm/run.mjs';

/** The part that benchmarks a backend. */
export function benchPart(backend) {
  const figures = join(scratchFolder(), 'bench.json');
  return { command: [process.execPath, CLI, 'bench', '--backends', backend, '--out', figures], figures };
}

/** The part that runs the tests of a folder. tap treats every file in a given folder as a test. */
export function testsPart(folder) {
  const names = readdirSync(join(ROOT, folder), { recursive: true });
  const files = names.filter((name) => name.endsWith('.test.ts')).map((name) => join(folder, name));
  return {
    command: [process.execPath, TAP, 'run', '--reporter=base', ...files],
    missing: () => !existsSync(join(ROOT, TAP)) && `${TAP} is not there`,
  };
}

/** The JSON output of a Node program; if it fails, prints `reason` of its stderr and exits. */
export function describeDevice(program, env, reason) {
  const options = { cwd: ROOT, env, encoding: 'utf8' };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    options,
  );
  if (status === 0) return JSON.parse(stdout);
  const isMissing = !existsSync(join(ROOT, CLI));
  console.error(isMissing ? 'dist/ is not there: npm run build makes it' : (reason(stderr) ?? stderr));
  process.exit(1);
}

/**
 * Runs the parts named by `--only`, or all, and prints a summary; `--out FILE` also writes outcomes and figures as JSON, after
 * every part.
 * @param parts by name: `command`, `missing` (why it cannot run), `figures` (a file that it writes)
 * @param open called before the parts; returns the device and the environment of the parts
 * @param title of the device
 */
export function runParts(parts, open, title, { out: defaultOut } = {}) {
  const { values } = parseArgs({ options: { out: { type: 'string' }, only: { type: 'string' } } });
  const chosen = values.only?.split(',') ?? Object.keys(parts);
  const unknown = chosen.find((name) => !(name in parts));
  if (unknown !== undefined) {
    console.error(`--only ${unknown}: there are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  const out = values.out ? resolve(values.out) : defaultOut;
  const { device, env } = open();
  const report = { device, date: new Date().toISOString(), parts: {}, bench: null };
  for (const name of chosen) {
    console.log(`\n== ${name}`);
    const start = performance.now();
    const { figures, ...part } = parts[name];
    const outcome = runPart(part, env);
    report.parts[name] = { ...outcome, seconds: Math.round((performance.now() - start) / 1000) };
    if (figures && existsSync(figures)) report.bench = JSON.parse(readFileSync(figures, 'utf8'));
    if (out) writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  }
  console.log(`\n${title(device)}`);
  for (const [name, { outcome, reason, seconds }] of Object.entries(report.parts)) {
    console.log(`${name}: ${outcome}${reason ? `, ${reason}` : ` in ${seconds} s`}`);
  }
  if (Object.values(report.parts).some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
}

/** @returns the outcome `passed`, `failed` or `skipped`, with a reason */
function runPart({ command: [program, ...args], missing }, env) {
  const reason = missing?.();
  if (reason) return { outcome: 'skipped', reason };
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, env, stdio: 'inherit' });
  if (status === 0) return { outcome: 'passed' };
  return {
    outcome: 'failed',
    reason: error?.message ?? (signal ? `ended by ${signal}` : `status ${status}`),
  };
}

let scratch;
function scratchFolder() {
  if (!scratch) {
    scratch = mkdtempSync(join(tmpdir(), 'grootvl-'));
    process.on('exit', () => rmSync(scratch, { recursive: true }));
  }
  return scratch;
}
