/** `npm test`: installs what is missing, builds, and runs every check. Arguments are handed to tap. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureProgram, installPackages, ROOT, run } from './setup.mjs';

installPackages();
ensureProgram('chromium', 'chromium', 'tests in a page are skipped; install Chromium, or set CHROMIUM_PATH');
// All generations of GPUs take minutes to compile for, and none of them is here.
if (!existsSync('/dev/nvidiactl')) process.env.GROOTVL_CUDA_GENERATIONS ??= '90';
run('npm', ['run', '--silent', 'build']);
run('node', ['scripts/build_cuda.mjs', '--races']);
run('npx', ['biome', 'check']);
run('npx', ['tsc', '--noEmit', '-p', '.']);

// Without tap's own loader of TypeScript (package.json leaves it out), else the first run after an installation has both.
const built = join(ROOT, 'node_modules/@tapjs/test/test-built/dist/esm/index.js');
if (readFileSync(built, 'utf8').includes('@tapjs/typescript')) run('npx', ['tap', 'build']);

const tap = spawn('npx', ['tap', 'run', '--reporter=base', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: ['inherit', 'pipe', 'inherit'],
});
let output = '';
tap.stdout.setEncoding('utf8');
tap.stdout.on('data', (text) => {
  process.stdout.write(text);
  output = (output + text).slice(-10_000);
});
tap.on('close', (status) => {
  const totals = /# \{ (.*) \}/.exec(output)?.[1] ?? '';
  const count = (name) => Number(new RegExp(`${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
  console.log(`${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped`);
  process.exitCode = status ?? 1;
});
