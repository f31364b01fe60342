/**
 * Tests the kernels in a real Chromium: in a page with a strict policy, and in a cross-origin isolated one, which gets the
 * threaded build.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import t from 'tap';
import { chromiumMissing } from '../conformance/runners/launch_chromium.js';
import { sharedChromium } from '../testing/chromium.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TFJS = join(HERE, '..', 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist');

/** The page's script: runs everything once on wasm and once on cpu. */
const PAGE = `
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
  import { boruvkaMST, edgeDissimilarity, gelu, gridGraph, layerNormalization, linear, treeScan } from '../plugin/index.js';
  import { ready } from './index.js';

  function everything() {
    return tf.tidy(() => {
      const x = tf.randomNormal([2, 35, 11], 0, 1, 'float32', 1);
      const edges = gridGraph(5, 7);
      const weights = edgeDissimilarity(x, edges);
      const tree = boruvkaMST(weights, edges, { numVertices: 35 });
      const scan = treeScan(x, tf.sigmoid(x), tree);
      const parameters = [1, 2].map((seed) => tf.randomNormal([11], 0, 1, 'float32', seed));
      const product = linear(x, tf.randomNormal([11, 9], 0, 1, 'float32', 3));
      const outputs = { weights, edgeIndex: tree.edgeIndex, order: tree.order, parent: tree.parent, scan,
        gelu: gelu(x), normalized: layerNormalization(x, ...parameters), product };
      return Object.fromEntries(Object.entries(outputs).map(([name, y]) => [name, [...y.dataSync()]]));
    });
  }

  window.check = async () => {
    setWasmPaths('/tfjs/');
    await tf.setBackend('cpu');
    const cpu = everything();
    await tf.setBackend('wasm');
    const early = everything();
    await ready();
    const warnings = [];
    console.warn = (message) => warnings.push(message);
    const wasm = everything();
    const module = tf.backend().wasm;
    const memory = module.wasmMemory ?? module.asm.memory;
    return { cpu, wasm, early, warnings, isolated: crossOriginIsolated, shared: !(memory.buffer instanceof ArrayBuffer) };
  };`;

const TYPES: Record<string, string> = { wasm: 'application/wasm', js: 'text/javascript', html: 'text/html' };

/** Serves the page and tfjs's .wasm files. Ours are part of the page's script. */
async function serve(script: string, isolated: boolean): Promise<{ url: string; close(): void }> {
  const server = createServer(({ url = '/' }, response) => {
    const name = url.split('/').at(-1) || 'index.html';
    const path = join(TFJS, name);
    const body =
      name === 'index.html'
        ? '<!doctype html><script type="module" src="/page.js"></script>'
        : name === 'page.js'
          ? script
          : name.endsWith('.wasm') && existsSync(path)
            ? readFileSync(path)
            : undefined;
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': TYPES[name.split('.').at(-1) as string] ?? 'text/plain',
      ...(isolated
        ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }
        : {
            'content-security-policy':
              "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'",
          }),
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

interface Result {
  readonly cpu: Record<string, number[]>;
  readonly wasm: Record<string, number[]>;
  /** Before `ready()`. */
  readonly early: Record<string, number[]>;
  readonly warnings: string[];
  readonly isolated: boolean;
  readonly shared: boolean;
}

t.test('in Chromium', { skip: chromiumMissing() ?? false }, async (t) => {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: HERE, loader: 'js' },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    // package.json lists the files of dist/ that have side effects, not those of the sources.
    ignoreAnnotations: true,
    logLevel: 'silent',
  });
  const browser = await sharedChromium(t);
  for (const isolated of [false, true]) {
    await t.test(isolated ? 'a cross-origin isolated page' : 'a page with a strict policy', async (t) => {
      const server = await serve(outputFiles[0].text, isolated);
      t.teardown(() => server.close());
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction('window.check !== undefined');
      const result = (await page.evaluate('window.check()')) as Result;
      t.equal(result.isolated, isolated);
      t.equal(
        result.shared,
        isolated,
        isolated ? 'the threaded build of tfjs' : 'the single-thread build of tfjs',
      );
      t.same(result.early, result.wasm, 'ready() need not be awaited');
      t.same(result.warnings, []);
      for (const name of ['weights', 'edgeIndex', 'order', 'parent']) {
        t.same(result.wasm[name], result.cpu[name], name);
      }
      for (const [name, expected] of Object.entries(result.cpu)) {
        const difference = Math.max(...expected.map((value, i) => Math.abs(value - result.wasm[name][i])));
        t.ok(difference <= 1e-5, `${name}: ${difference}`);
      }
      await page.close();
    });
  }
});
