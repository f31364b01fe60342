/** What `npm start` and `npm test` do first: install what is missing. Plain JavaScript, since nothing is built yet. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command with its output shown; a failure ends this process with its exit status. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (error) console.error(`${command} could not be run: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs lists of commands at the same time, each in its order until one fails; a failure ends this process. */
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

/** Installs the npm packages, unless they are those of package-lock.json already. */
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

/** Whether the loader of programs finds a shared library. */
function hasLibrary(library) {
  return spawnSync('sh', ['-c', `PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q ${library}`]).status === 0;
}

/**
 * Installs a Debian package when `program` is missing and this is root on Debian; elsewhere says in one line what to
 * install. @returns whether the program is there now
 */
export function ensureProgram(program, debianPackage, elsewhere) {
  return ensure(program, () => hasProgram(program), debianPackage, elsewhere);
}

/** The same for a library of Linux, without what its package recommends. */
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
