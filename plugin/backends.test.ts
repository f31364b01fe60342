import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { BACKEND_NAMES, BACKENDS } from './backends.js';
import { backendEntry, backendsOn, isBackendName } from './index.js';

const root = new URL('../', import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), 'utf8');

t.test('every backend has a name that tfjs takes, a module and a package that are there', async (t) => {
  const { peerDependencies } = JSON.parse(text('package.json'));
  for (const { name, module, tfjsPackage } of BACKENDS) {
    t.match(name, /^[a-z]+$/);
    t.ok(existsSync(fileURLToPath(new URL(`${module}.ts`, root))), module);
    t.ok(tfjsPackage in peerDependencies, tfjsPackage);
  }
  t.equal(new Set(BACKEND_NAMES).size, BACKENDS.length);
});

t.test('every backend has an entry point of its name, cpu the main one', async (t) => {
  const { exports } = JSON.parse(text('package.json'));
  for (const { name, module } of BACKENDS) {
    t.equal(exports[name === 'cpu' ? '.' : `./${name}`].default, `./dist/${module}.js`);
  }
});

t.test('by name and by platform', async (t) => {
  t.same(backendsOn('node'), ['cpu', 'wasm', 'webgpu', 'cuda']);
  t.same(backendsOn('page'), ['cpu', 'wasm', 'webgl', 'webgpu']);
  t.equal(backendEntry('webgl').tolerance, 'shader');
  t.ok(isBackendName('wasm'));
  t.notOk(isBackendName('tpu'));
  t.throws(() => backendEntry('tpu' as 'cpu'), {
    message: 'backendEntry: got tpu, expected one of cpu, wasm, webgl, webgpu, cuda',
  });
});

t.test('FEATURES has a column for every backend, in the order of the registry', async (t) => {
  const table = text('FEATURES.md')
    .split('\n')
    .find((line) => line.startsWith('| op |'));
  const columns = (table ?? '').split('|').map((cell) => cell.trim());
  t.same(columns.slice(2, 2 + BACKENDS.length), BACKEND_NAMES);
});
