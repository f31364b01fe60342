/**
 * Compiles TypeScript to dist/, then removes files left by earlier builds, so that neither tests nor the package contain a file
 * without a source. Nothing else is removed: a program running from dist/ still finds its files. `--check-all` also checks the
 * types of tests, scripts and examples. With errors, dist/ stays as it is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT, TSC } from './setup.mjs';

const DIST = join(ROOT, 'dist');
const ADDON = join('gpu', 'cuda', 'grootvl_cuda.node'); // built by build_cuda.mjs if there is a toolkit

const { 'check-all': checkAll } = parseArgs({ options: { 'check-all': { type: 'boolean' } } }).values;
// With declarations, to find types that dist/ could not declare, and with the folders of the compilation: imports of the package
// by its name are then those of the sources. What is compiled below is part of it.
if (checkAll) tsc('-p', '.', '--noEmit', '--declaration', '--rootDir', '.', '--outDir', 'dist');
const toCompile = ['-p', 'tsconfig.build.json', checkAll ? '--noCheck' : '--noEmitOnError'];
/** Relative to dist/. */
const emitted = new Set(
  Array.from(tsc(...toCompile, '--listEmittedFiles').matchAll(/^TSFILE: (.*)$/gm), ([, file]) =>
    relative(DIST, file),
  ),
);
removeOthers('.');

/** @returns what the compiler printed; if it found errors, they are printed here, and this process ends */
function tsc(...args) {
  const { status, error, stdout } = spawnSync(process.execPath, [TSC, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (!error && status === 0) return stdout;
  console.error(error ? `the TypeScript compiler could not be run: ${error.message}` : stdout.trimEnd());
  process.exit(1);
}

/** @returns whether the folder, relative to dist/, is now empty */
function removeOthers(folder) {
  let isEmpty = true;
  for (const entry of readdirSync(join(DIST, folder), { withFileTypes: true })) {
    const name = join(folder, entry.name);
    if (entry.isDirectory() ? removeOthers(name) : !isBuilt(name)) {
      if (entry.isDirectory()) rmdirSync(join(DIST, name));
      else rmSync(join(DIST, name));
    } else isEmpty = false;
  }
  return isEmpty;
}

/** Compiled or copied: the .wasm files and their module are also beside the sources. */
function isBuilt(name) {
  return emitted.has(name) || existsSync(join(ROOT, name)) || name === ADDON;
}
