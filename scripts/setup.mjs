/** The first step of `npm start` and `npm test`: installs what is missing. Plain JavaScript, since nothing is built yet. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** TypeScript 7, relative to the root. The package `typescript` is version 5, whose API typedoc, tap and a test need. */
export const TSC = join('node_modules', '@typescript', 'native', 'bin', 'tsc');

/** Runs a command and shows its output; a failure ends this process with its exit status. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error) console.error(`${command} could not be run: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs lists of commands in parallel, each list in order until a command fails; a failure ends this process. */
export async function runTogether(...lists) {
  const statuses = await Promise.all(lists.map(runInOrder));
  const failed = statuses.find((status) => status !== 0);
  if (failed !== undefined) process.exit(failed);
}

async function runInOrder(commands) {
  for (const [command, args] of commands) {
    const status = await new Promise((resolve) => {
      const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
      child.on('error', ({ message }) => {
        console.error(`${command} could not be run: ${message}`);
        resolve(1);
      });
      child.on('close', (status) => resolve(status ?? 1));
    });
    if (status !== 0) return status;
  }
  return 0;
}

/** Installs the npm packages, unless they already match package-lock.json. */
export function installPackages() {
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  const expected = join(ROOT, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(expected).mtimeMs) return;
  console.log('installing npm packages');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Whether a program is on PATH. */
export function hasProgram(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Whether the dynamic loader finds a shared library. */
function hasLibrary(library) {
  return spawnSync('sh', ['-c', `PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q ${library}`]).status === 0;
}

/**
 * Installs a Debian package if `program` is missing and this is root on Debian; otherwise prints a line that says what to
 * install. @returns whether the program is now installed
 */
export function ensureProgram(program, debianPackage, elsewhere) {
  return ensure(program, () => hasProgram(program), debianPackage, elsewhere);
}

/** The same for a Linux library, without recommended packages. */
export function ensureLibrary(library, debianPackage, elsewhere) {
  const isThere = () => process.platform !== 'linux' || hasLibrary(library);
  return ensure(library, isThere, debianPackage, elsewhere, ['--no-install-recommends']);
}

function ensure(what, isThere, debianPackage, elsewhere, options = []) {
  if (isThere()) return true;
  if (process.getuid?.() !== 0 || !hasProgram('apt-get')) {
    console.log(`${what} is missing: ${elsewhere}`);
    return false;
  }
  console.log(`installing ${debianPackage}`);
  const quiet = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const install = ['-y', 'install', ...options, debianPackage];
  const installed =
    spawnSync('apt-get', install, quiet).status === 0 ||
    (spawnSync('apt-get', ['update'], quiet).status === 0 &&
      spawnSync('apt-get', install, quiet).status === 0);
  if (!installed) console.log(`${debianPackage} could not be installed: ${elsewhere}`);
  return installed && isThere();
}
