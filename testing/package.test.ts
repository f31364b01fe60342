/** The package's metadata and types, checked with publint and TypeScript. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** Modules; other exports are files. */
const ENTRIES = Object.keys(manifest.exports).filter((name) => typeof manifest.exports[name] === 'object');

/** All files in a folder of the checkout, relative to its root. */
function filesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));
}

t.test('publint', async (t) => {
  const { messages, pkg } = await publint({ pkgDir: ROOT, level: 'warning', pack: false });
  // The module for require() throws in a Node version that cannot require ES modules; otherwise the types are right.
  const meant = messages.filter(({ code }) => code !== 'EXPORTS_TYPES_INVALID_FORMAT');
  t.same(
    meant.map((message) => formatMessage(message, pkg)),
    [],
  );
});

t.test('dist has nothing of older builds', async (t) => {
  const files = filesOf('dist').map((file) => relative('dist', file));
  const source = (file: string) =>
    file === 'gpu/cuda/grootvl_cuda.node'
      ? 'gpu/cuda/backend/addon'
      : file.replace(/(\.d)?\.(c?)[jt]s$/, '.$2ts');
  t.same(
    files.filter((file) => !existsSync(join(ROOT, source(file))) && !existsSync(join(ROOT, file))),
    [],
  );
});

t.test('THIRD_PARTY.md names what is not plain text, and what of others is in the text', async (t) => {
  t.ok(manifest.files.includes('THIRD_PARTY.md'));
  const listed = readFileSync(join(ROOT, 'THIRD_PARTY.md'), 'utf8');
  const folders = ['dist', 'demo/pictures', 'examples/pictures', 'docs'].flatMap((folder) => filesOf(folder));
  const binary = folders.filter((file) => !/\.(c?js|d\.c?ts|md)$/.test(file));
  const others = folders.filter(
    (file) =>
      /\.js$/.test(file) &&
      /apache-2|copyright|\blicen[cs]ed?\b/i.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  const name = (file: string) => (file.endsWith('.wasm') ? basename(file) : file);
  t.ok(binary.length > 5 && others.length > 0);
  t.same(
    [...binary, ...others].filter((file) => !listed.includes(`${name(file)}\``)),
    [],
  );
  const compiledIn = ['node-addon-api', 'node-api-headers', 'libdevice', 'WordNet'];
  for (const part of compiledIn) t.ok(listed.includes(part), part);
});

t.test('what is kept for tools that do not read "exports"', (t) => {
  const older = (only: (entry: string) => boolean, condition: string, write = (entry: string) => entry) =>
    Object.fromEntries(
      ENTRIES.filter((entry) => entry !== '.' && only(entry)).map((entry) => [
        write(entry),
        manifest.exports[entry][condition],
      ]),
    );
  const isForPages = (entry: string) => !/node|cuda/.test(entry);
  t.same(manifest.browser, older(isForPages, 'default'), 'browser: Parcel 2 and webpack 4 find the file');
  const types = Object.entries(
    older(
      () => true,
      'types',
      (entry) => entry.slice(2),
    ),
  );
  t.same(
    manifest.typesVersions['*'],
    Object.fromEntries(types.map(([entry, file]) => [entry, [file]])),
    'typesVersions: TypeScript with moduleResolution node10',
  );
  t.end();
});

t.test('types are found by every module resolution', async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'tfjs-grootvl'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const file = join(folder, 'user.ts');
  const names = ENTRIES.map((entry) => join('tfjs-grootvl', entry));
  writeFileSync(file, names.map((name, i) => `export * as entry${i} from '${name}';`).join('\n'));
  const { ESNext, Node16, NodeNext } = ts.ModuleKind;
  const { Bundler, Node10, Node16: FromNode16, NodeNext: FromNodeNext } = ts.ModuleResolutionKind;
  for (const [name, module, moduleResolution] of [
    ['node10', ESNext, Node10],
    ['node16', Node16, FromNode16],
    ['nodenext', NodeNext, FromNodeNext],
    ['bundler', ESNext, Bundler],
  ] as const) {
    const options = { module, moduleResolution, target: ts.ScriptTarget.ES2022 };
    const missing = names.filter(
      (from) =>
        !ts
          .resolveModuleName(
            from,
            file,
            options,
            ts.sys,
            undefined,
            undefined,
            module === ESNext ? undefined : ESNext,
          )
          .resolvedModule?.resolvedFileName.endsWith('.d.ts'),
    );
    t.same(missing, [], name);
  }
});
