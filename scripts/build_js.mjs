/**
 * Compiles TypeScript into dist/, then removes what earlier builds left there, so that neither a test nor the package sees
 * a file whose source is gone. Nothing else is removed: a program that runs from dist/ meanwhile finds its files.
 * `--check-all` also checks the types of tests, scripts and examples, in the same program: most of the time goes into
 * what they share.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { ROOT } from './setup.mjs';

const DIST = join(ROOT, 'dist');
const ADDON = join('gpu', 'cuda', 'grootvl_cuda.node'); // made by build_cuda.mjs where a toolkit is

const { 'check-all': checkAll } = parseArgs({ options: { 'check-all': { type: 'boolean' } } }).values;
const built = configuration('tsconfig.build.json');
const program = ts.createProgram({
  rootNames: checkAll ? [...built.fileNames, ...configuration('tsconfig.json').fileNames] : built.fileNames,
  options: built.options,
});
// With declarations, so also of types that dist/ could not declare.
report([...built.errors, ...ts.getPreEmitDiagnostics(program)]);

/** As seen from dist/. */
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

/** Prints what is wrong, if anything, and ends. */
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
  return emitted.has(name) || existsSync(join(ROOT, name)) || name === ADDON;
}
