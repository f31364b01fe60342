/**
 * Compiles TypeScript to dist/, then removes files left by earlier builds, so that neither tests nor the package contain a file
 * without a source. Nothing else is removed: a program running from dist/ still finds its files. `--check-all` also checks the
 * types of tests, scripts and examples, in the same program: most of the time is spent on what they share.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { ROOT } from './setup.mjs';

const DIST = join(ROOT, 'dist');
const ADDON = join('gpu', 'cuda', 'grootvl_cuda.node'); // built by build_cuda.mjs if there is a toolkit

const { 'check-all': checkAll } = parseArgs({ options: { 'check-all': { type: 'boolean' } } }).values;
const built = configuration('tsconfig.build.json');
const program = ts.createProgram({
  rootNames: checkAll ? [...built.fileNames, ...configuration('tsconfig.json').fileNames] : built.fileNames,
  options: built.options,
});
// With declarations, to find types that dist/ could not declare.
report([...built.errors, ...ts.getPreEmitDiagnostics(program)]);

/** Relative to dist/. */
const emitted = new Set();
for (const file of built.fileNames) {
  const { diagnostics } = program.emit(program.getSourceFile(file), (path, text) => {
    emitted.add(relative(DIST, path));
    ts.sys.writeFile(path, text);
  });
  report(diagnostics);
}
removeOthers('.');

function configuration(file) {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => report([diagnostic]) };
  return ts.getParsedCommandLineOfConfigFile(join(ROOT, file), {}, host);
}

/** Prints any errors, and exits. */
function report(diagnostics) {
  if (diagnostics.length === 0) return;
  const host = {
    getCurrentDirectory: () => ROOT,
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  };
  console.error(ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(diagnostics), host));
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
