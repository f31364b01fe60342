/**
 * Writes every TypeScript file as JavaScript to .transpiled/, for `npm test`: a loader that compiles in each of about a hundred
 * test processes takes a third of their time. `import.meta.url` stays that of the source, so that files beside it are found;
 * source maps map errors to it.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform } from 'esbuild';
import { ROOT } from './setup.mjs';

export const TRANSPILED = '.transpiled';
/** CMake's dependency files also have the extension .ts. */
const CUDA_BUILD = join('gpu', 'cuda', 'build');

/** Returns the test files, relative to the root. */
export async function transpile() {
  rmSync(join(ROOT, TRANSPILED), { recursive: true, force: true });
  const { include } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
  const files = include
    .flatMap((entry) =>
      entry.endsWith('.ts')
        ? [entry]
        : readdirSync(join(ROOT, entry), { recursive: true }).map((file) => join(entry, file)),
    )
    .filter((file) => /(?<!\.d|\.as)\.ts$/.test(file) && !file.startsWith(CUDA_BUILD));
  await Promise.all(files.map(transpileFile));
  copyFileSync(join(ROOT, 'wasm', 'embedded.js'), join(ROOT, TRANSPILED, 'wasm', 'embedded.js'));
  return files.filter((file) => file.endsWith('.test.ts')).map(transpiledName);
}

async function transpileFile(file) {
  const source = join(ROOT, file);
  const target = join(ROOT, transpiledName(file));
  const { code, map } = await transform(readFileSync(source, 'utf8'), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(source).href) },
    sourcefile: source,
    sourcemap: 'external',
    sourcesContent: false,
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${code}//# sourceMappingURL=${basename(target)}.map\n`);
  writeFileSync(`${target}.map`, map);
}

/** The path of a file's JavaScript, relative to the root. */
export function transpiledName(file) {
  return join(TRANSPILED, file.replace(/ts$/, 'js'));
}
