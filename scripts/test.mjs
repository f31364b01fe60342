/**
 * `npm test`: installs what is missing, builds, and runs every check. Options are passed to tap; names of test files select these
 * instead of all.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureLibrary, ensureProgram, installPackages, ROOT, run } from './setup.mjs';
import { tapOutput } from './tap_output.mjs';

installPackages();
ensureProgram('chromium', 'chromium', 'tests in a page are skipped; install Chromium, or set CHROMIUM_PATH');
// Node's WebGPU loads drivers through it; the software driver is part of Chromium.
ensureLibrary('libvulkan.so.1', 'libvulkan1', 'tests of WebGPU in Node are skipped');
ensureProgram('redis-server', 'redis-server', 'tests of queues are skipped; install Redis');
// Compiling for all GPU generations takes minutes, and there is no GPU here: PTX shows whether the kernels compile.
if (!existsSync('/dev/nvidiactl')) process.env.GROOTVL_CUDA_GENERATIONS ??= '90-virtual';
run('node', ['scripts/build.mjs', '--test']);

// Without tap's plugins that package.json excludes, which the first run after an installation would otherwise have.
const built = join(ROOT, 'node_modules/@tapjs/test/test-built/dist/esm/index.js');
if (/@tapjs\/(typescript|mock)/.test(readFileSync(built, 'utf8'))) run('npx', ['tap', 'build']);

// Imported here, because it may only just have been installed.
const { transpile, TRANSPILED, transpiledName } = await import('./transpile.mjs');
const { groupTests } = await import('./test_groups.mjs');
const files = await transpile();
const isOption = (argument) => argument.startsWith('-');
const [options, names] = [true, false].map((which) =>
  process.argv.slice(2).filter((each) => isOption(each) === which),
);
const chosen =
  names.length === 0
    ? groupTests(files, TRANSPILED)
    : files.filter((file) => names.some((name) => file.endsWith(transpiledName(name))));
const program = ['--import=./scripts/untracked_tests.mjs', 'node_modules/tap/dist/esm/run.mjs'];
const tap = spawn(process.execPath, [...program, 'run', '--reporter=tap', ...options, ...chosen], {
  cwd: ROOT,
  stdio: ['inherit', 'pipe', 'inherit'],
  env: { ...process.env, GROOTVL_TRANSPILED: '1' },
});
console.log(`running ${chosen.length} files or groups of them; results are shown in this order`);
const ended = new Promise((resolve) => tap.on('close', resolve));
const lines = createInterface({ input: tap.stdout });
const hasReporter = options.some((option) => /^(--reporter|-R)/.test(option));
let totals = '';
for await (const line of hasReporter ? lines : tapOutput(lines)) {
  console.log(line);
  totals = /^# \{ (.*) \}/.exec(line)?.[1] ?? totals;
}
const count = (name) => Number(new RegExp(`${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
console.log(`${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped`);
process.exitCode = (await ended) ?? 1;
