/**
 * Writes wasm/embedded.js, which contains the .wasm files of wasm/ and the script of a thread as text, and copies these to
 * dist/wasm/. Runs at the end of build_wasm.mjs, and before every test file, so that tests never use an outdated build.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { ROOT } from './setup.mjs';

const sources = join(ROOT, 'wasm');
const dist = join(ROOT, 'dist', 'wasm');
const MODULE = 'embedded.js';
const SCRIPT = 'thread_script.js';

const files = readdirSync(sources).filter((file) => file.endsWith('.wasm'));
mkdirSync(dist, { recursive: true });
let text =
  '// Written by scripts/embed_wasm.mjs from the .wasm files and thread.ts.\nexport const EMBEDDED = {\n';
for (const file of files) {
  const bytes = readFileSync(join(sources, file));
  writeIfChanged(join(dist, file), bytes);
  text += `  '${file}': '${bytes.toString('base64')}',\n`;
}
const { outputFiles } = buildSync({
  entryPoints: [join(sources, 'thread.ts')],
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  write: false,
});
const [{ contents: script }] = outputFiles;
writeIfChanged(join(sources, SCRIPT), script);
writeIfChanged(join(dist, SCRIPT), script);
text += `  '${SCRIPT}': ${JSON.stringify(Buffer.from(script).toString())},\n`;
for (const folder of [sources, dist]) writeIfChanged(join(folder, MODULE), Buffer.from(`${text}};\n`));

/** By renaming a temporary file: a test that runs at the same time reads either the old or the new bytes. */
function writeIfChanged(path, bytes) {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, bytes);
  renameSync(temporary, path);
}
