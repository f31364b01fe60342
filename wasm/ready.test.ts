/** Tests the errors of `ready()` when something is missing, or something else arrives instead of a .wasm file. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { gelu } from '../plugin/index.js';
import { hostOf } from './host.js';
import { ready, setWasmPaths, type WasmFileName } from './index.js';

const FILES = [
  'kernels.wasm',
  'kernels_relaxed.wasm',
  'boruvka.wasm',
  'quantized.wasm',
  'quantized_relaxed.wasm',
] as const satisfies readonly WasmFileName[];
const HERE = fileURLToPath(new URL('./', import.meta.url));

/** Replaces the backend `wasm` by one that is created by `factory`. */
function register(factory: () => Promise<tf.KernelBackend>): void {
  if (tf.findBackendFactory('wasm')) tf.removeBackend('wasm');
  tf.registerBackend('wasm', factory);
}

/** tfjs logs the reasons of a failed start as warnings. */
async function quietly<T>(run: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await run();
  } finally {
    console.warn = warn;
  }
}

t.test('no backend is imported', async (t) => {
  await t.rejects(ready(), { message: /no backend 'wasm': import '@tensorflow\/tfjs-backend-wasm'/ });
});

t.test('the backend does not start', async (t) => {
  const { fail } = { fail: async () => Promise.reject({ message: 'no such file' }) };
  const expected = { message: /did not start: no such file\. .*setWasmPaths\(\) of '@tensorflow/ };
  register(fail);
  t.notOk(await quietly(() => tf.setBackend('wasm')), 'before ready() knew of it');
  await t.rejects(quietly(ready), expected);
  await t.rejects(quietly(ready), expected, 'again');

  register(fail);
  await t.resolves(ready(), 'nobody has asked for it yet');
  t.notOk(await quietly(() => tf.setBackend('wasm')));
  await t.rejects(ready(), expected);

  const start = quietly(() => tf.setBackend('wasm'));
  await t.rejects(quietly(ready), expected, 'while it starts');
  t.notOk(await start);
  tf.removeBackend('wasm');
});

t.test('a start that is under way is waited for, and not started twice', async (t) => {
  await import('@tensorflow/tfjs-backend-wasm');
  const start = tf.findBackendFactory('wasm') as () => Promise<tf.KernelBackend>;
  let starts = 0;
  register(() => {
    starts++;
    return start();
  });
  await t.resolves(ready(), 'registered, not started');
  t.equal(starts, 0);
  const chosen = tf.setBackend('wasm');
  await ready();
  t.ok(await chosen);
  t.equal(starts, 1);
  t.equal(gelu(tf.tensor1d([0])).dataSync()[0], 0);
});

t.test('kernels from files', async (t) => {
  const url = await serve(t);
  /** Creates a backend without a host of ours, so that kernels are instantiated again. */
  const restart = async () => {
    register(tf.findBackendFactory('wasm') as () => Promise<tf.KernelBackend>);
    await tf.setBackend('wasm');
  };
  const reads = async () => {
    await restart();
    await ready();
    return gelu(tf.tensor1d([1]))
      .dataSync()[0]
      .toFixed(3);
  };
  const everywhere = (location: (name: WasmFileName) => string | URL) =>
    Object.fromEntries(FILES.map((name) => [name, location(name)])) as Record<WasmFileName, string | URL>;

  setWasmPaths(HERE);
  t.equal(await reads(), '0.841', 'a folder');
  setWasmPaths(everywhere((name) => new URL(name, import.meta.url)));
  t.equal(await reads(), '0.841', 'file: URLs');
  setWasmPaths(`${url}ok/`);
  await restart();
  t.throws(() => hostOf(tf.backend()), { message: /await ready\(\)/ }, 'not fetched yet');
  t.equal(await reads(), '0.841', 'from a server');
  const inline = (name: string) => readFileSync(HERE + name).toString('base64');
  setWasmPaths(everywhere((name) => `data:application/wasm;base64,${inline(name)}`));
  t.equal(await reads(), '0.841', 'data: URLs');

  for (const [what, location, message] of [
    ['an index page', `${url}html/`, /expected kernels.wasm, got .* \(200 text\/html\) .*"<!doctype html>/],
    ['nothing', `${url}missing/`, /html|missing\/(kernels|boruvka)\.wasm \(404 text\/plain\)/],
    ['no server', 'http://127.0.0.1:1/', /cannot fetch "http:\/\/127\.0\.0\.1:1\/(kernels|boruvka)\.wasm": /],
    ['no folder', '/nowhere/', /cannot read "\/nowhere\/(kernels|boruvka)\.wasm": ENOENT/],
    ['half a module', `${url}half/`, /cannot compile (kernels|boruvka)\.wasm: /],
  ] as const) {
    setWasmPaths(location);
    await restart();
    await t.rejects(ready(), { message }, what);
    if (what !== 'half a module')
      await t.rejects(ready(), { message: /setWasmPaths\(\)/ }, `${what}: remedy`);
  }
  t.throws(() => setWasmPaths({ 'kernels.wasm': 'a' } as never), {
    message: /no entry for kernels_relaxed.wasm, boruvka/,
  });
  t.throws(() => setWasmPaths(undefined as never), { message: /got undefined, expected a folder/ });
});

t.test('threads that never start', async (t) => {
  const flags = ['WASM_HAS_SIMD_SUPPORT', 'WASM_HAS_MULTITHREAD_SUPPORT'];
  for (const flag of flags) tf.env().set(flag, true);
  const { setTimeout } = globalThis;
  const hurried = (run: () => void, milliseconds: number) => setTimeout(run, milliseconds / 1000);
  globalThis.setTimeout = hurried as typeof setTimeout;
  t.teardown(() => {
    globalThis.setTimeout = setTimeout;
  });
  setWasmPaths(HERE);
  register(() => new Promise(() => {}));
  await ready();
  const start = quietly(() => tf.setBackend('wasm'));
  await t.rejects(ready(), { message: /not started within 20 s.*'WASM_HAS_MULTITHREAD_SUPPORT', false/ });
  t.notOk(await start, 'setBackend ends, too');
  tf.removeBackend('wasm');
});

async function serve(t: Test): Promise<string> {
  const server = createServer(({ url = '/' }, response) => {
    const [, folder, name] = url.split('/');
    const send = (status: number, type: string, body: string | Uint8Array) =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (folder === 'html') return send(200, 'text/html', '<!doctype html><title>app</title>');
    if (folder === 'missing') return send(404, 'text/plain', 'not found');
    const bytes = readFileSync(HERE + name);
    send(200, 'application/wasm', folder === 'half' ? bytes.subarray(0, bytes.length / 2) : bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
