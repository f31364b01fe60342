/**
 * Compiles TypeScript into dist/, then removes what earlier builds left there, so that neither a test nor the package sees
 * a file whose source is gone. Nothing else is removed: a program that runs from dist/ meanwhile finds its files.
 * `--unchecked` leaves the check of types to the caller.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './setup.mjs';

const DIST = join(ROOT, 'dist');
const ADDON = join('gpu', 'cuda', 'grootvl_cuda.node'); // made by build_cuda.mjs where a toolkit is
const EMITTED = 'TSFILE: ';

const { unchecked } = parseArgs({ options: { unchecked: { type: 'boolean' } } }).values;
const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const { status, error, stdout } = spawnSync(
  process.execPath,
  [tsc, '-p', 'tsconfig.build.json', '--listEmittedFiles', ...(unchecked ? ['--noCheck'] : [])],
  { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1e8 },
);
if (error) console.error(`tsc could not be run: ${error.message}`);
const lines = (stdout ?? '').split('\n');
for (const line of lines) if (line && !line.startsWith(EMITTED)) console.log(line);
if (status !== 0) process.exit(status ?? 1);

const emitted = new Set(
  lines.filter((line) => line.startsWith(EMITTED)).map((line) => join(line.slice(EMITTED.length))),
);
removeOthers('.');

/** @returns whether the folder, named as seen from dist/, is empty now */
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

/** Compiled, or copied: the .wasm files and their module lie beside the sources as well. */
function isBuilt(name) {
  return emitted.has(join(DIST, name)) || existsSync(join(ROOT, name)) || name === ADDON;
}
