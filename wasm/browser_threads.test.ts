/** Tests threads in Chromium, in tfjs's own memory: on the main thread of a page and in a worker. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import t, { type Test } from 'tap';
import { chromiumMissing } from '../conformance/runners/launch_chromium.js';
import { sharedChromium } from '../testing/chromium.js';
import { convertedSink } from '../testing/models.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TFJS = join(HERE, '..', 'node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist');
/** Number of runs after which memory must be as before; counts are exact. */
const RUNS = { 'a page': 10, 'a worker': 5 };
const PREDICTIONS = process.env.GROOTVL_LONG === '1' ? 1000 : 10;

/** The script of a page, or of a worker in it; sizes are such that much of the work is split. */
const PROGRAM = `
  import * as tf from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-backend-cpu';
  import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
  import { boruvkaMST, edgeDissimilarity, gelu, GrootV, gridGraph, layerNormalization, linear, treeScan } from '../plugin/index.js';
  import { PredictionMemory } from '../testing/prediction_memory.js';
  import { getThreads, ready, setThreads } from './index.js';

  /** Numbers without an order; those of tfjs take longer than all else here. */
  const numbers = (shape, frequency) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tf.tensor(Float32Array.from({ length: size }, (_, i) => Math.sin(frequency * i * i)), shape);
  };

  function everything(side = 32) {
    return tf.tidy(() => {
      const [vertices, channels] = [side * side, 72];
      const x = numbers([2, vertices, channels], 1);
      const edges = gridGraph(side, side);
      const weights = edgeDissimilarity(x, edges);
      const tree = boruvkaMST(weights, edges, { numVertices: vertices });
      const scan = treeScan(x, tf.sigmoid(x), tree);
      // Fewer images than threads: the scan splits by channels, and not on one thread.
      const [image, treeOfOne] = [tf.slice(x, [0, 0, 0], [1, -1, -1]), boruvkaMST(tf.slice(weights, [0, 0], [1, -1]), edges, { numVertices: vertices })];
      const scanOfOne = treeScan(image, tf.sigmoid(image), treeOfOne);
      const parameters = [2, 3].map((frequency) => numbers([channels], frequency));
      const matrix = numbers([channels, 200], 4);
      const [few, one] = [100, 1].map((rows) => linear(tf.slice(x, [0, 0, 0], [1, rows, -1]), matrix));
      const outputs = [weights, tree.order, tree.parent, scan, scanOfOne, gelu(x), layerNormalization(x, ...parameters),
        linear(x, matrix, undefined, { activation: 'gelu' }), few, one];
      return outputs.map((y) => new Int32Array(y.dataSync().slice().buffer));
    });
  }
  /** Whether all bits are the same. */
  const areSame = (some, others) =>
    some.every((bits, i) => bits.length === others[i].length && bits.every((value, at) => value === others[i][at]));

  /** Blocks that are allocated, from now on. */
  function watchAllocations() {
    const module = tf.backend().wasm;
    const { _malloc: malloc, _free: free } = module;
    const blocks = new Set();
    module._malloc = (bytes) => {
      const address = malloc(bytes) >>> 0;
      blocks.add(address);
      return address;
    };
    module._free = (address) => {
      blocks.delete(address >>> 0);
      free(address);
    };
    return blocks;
  }

  async function start() {
    setWasmPaths('/tfjs/');
    await tf.setBackend('wasm');
    await ready();
  }

  globalThis.check = async (runs) => {
    await start();
    const auto = getThreads();
    await setThreads(1);
    const one = getThreads();
    const blocks = watchAllocations();
    const expected = everything();
    const counts = [];
    for (const count of [2, 3]) {
      await setThreads(count);
      counts.push([getThreads().count, areSame(everything(), expected)]);
    }
    const [tensors, allocated, size] = [tf.memory().numTensors, blocks.size, tf.backend().wasm.HEAPU8.length];
    for (let i = 0; i < runs; i++) everything(12);
    const left = [tf.memory().numTensors - tensors, blocks.size - allocated, tf.backend().wasm.HEAPU8.length - size];
    await setThreads(1);
    const ofThreads = blocks.size;
    await setThreads(2);
    tf.removeBackend('wasm');
    return { auto, processors: navigator.hardwareConcurrency, one, counts, left, ofThreads, end: getThreads() };
  };

  globalThis.checkScript = async () => {
    await start();
    const expected = everything();
    const error = await setThreads(2, { script: '/nowhere.js' }).then(() => '', ({ message }) => message);
    const refused = getThreads();
    const isSame = areSame(everything(), expected);
    await setThreads(2, { script: '/thread_script.js' });
    return { error, refused, given: getThreads(), isSame: isSame && areSame(everything(), expected) };
  };

  globalThis.checkPredictions = async (threads, files, runs) => {
    await start();
    await setThreads(threads);
    const memory = new PredictionMemory();
    const model = await GrootV.load('/' + files + '/model.json');
    const changed = await memory.ofPredictions(model, runs);
    model.dispose();
    return { threads: getThreads().count, changed, left: memory.tensorsLeft() };
  };

  globalThis.checkReplays = async (files) => {
    await start();
    const { model } = await GrootV.load('/' + files + '/model.json');
    const images = [5, 6].map((frequency) => numbers([1, 32, 32, 3], frequency));
    const logits = [];
    const { runKernel } = tf.engine();
    for (const threads of [1, 2, 3, 1]) {
      await setThreads(threads);
      let kernels = 0;
      tf.engine().runKernel = (...args) => {
        kernels++;
        return runKernel.apply(tf.engine(), args);
      };
      // Computed or recorded, recorded or replayed, replayed.
      for (const i of [0, 1, 0, 1]) {
        kernels = 0;
        logits.push({ i, threads, kernels: 0, values: tf.tidy(() => [...model.execute({ image: images[i] }).dataSync()]) });
        logits.at(-1).kernels = kernels;
      }
      tf.engine().runKernel = runKernel;
    }
    const isSame = logits.every(({ i, values }) => values.every((value, at) => Object.is(value, logits[i].values[at])));
    const areOthers = logits[0].values.some((value, at) => value !== logits[1].values[at]);
    return { isSame, areOthers, replayed: logits.map(({ kernels }) => kernels === 0) };
  };

  if (typeof document === 'undefined') globalThis.onmessage = async ({ data }) => postMessage(await globalThis.check(data));`;

const TYPES: Record<string, string> = { wasm: 'application/wasm', js: 'text/javascript', html: 'text/html' };

type Files = Readonly<Record<string, () => string | Uint8Array>>;

/** @param more further files by path */
async function serve(script: string, more: Files = {}): Promise<{ url: string; close(): void }> {
  const server = createServer(({ url = '/' }, response) => {
    const name = url.split('/').at(-1) || 'index.html';
    const files: Files = {
      'index.html': () => '<!doctype html><script type="module" src="/page.js"></script>',
      'page.js': () => script,
      'thread_script.js': () => readFileSync(join(HERE, name)),
    };
    const read = more[url] ?? files[name] ?? (() => readFileSync(join(TFJS, name)));
    try {
      const body = read();
      response.writeHead(200, {
        'content-type': TYPES[name.split('.').at(-1) as string] ?? 'text/plain',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

t.test('threads in Chromium', { skip: chromiumMissing() ?? false }, async (t) => {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM, resolveDir: HERE, loader: 'js' },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    ignoreAnnotations: true,
    logLevel: 'silent',
  });
  const [{ text }] = outputFiles;
  const browser = await sharedChromium(t);
  const open = async (t: Test, more?: Files) => {
    const server = await serve(text, more);
    t.teardown(server.close); // even if the test fails: a listening server keeps the process alive
    const page = await browser.newPage();
    t.teardown(() => page.close());
    await page.goto(server.url);
    await page.waitForFunction('globalThis.check !== undefined');
    return page;
  };

  for (const where of ['a page', 'a worker'] as const) {
    await t.test(where, async (t) => {
      const page = await open(t);
      const found = (await page.evaluate(
        where === 'a page'
          ? `check(${RUNS[where]})`
          : `new Promise((resolve, reject) => {
               const worker = new Worker('/page.js', { type: 'module' });
               worker.onmessage = ({ data }) => resolve(data);
               worker.onerror = ({ message }) => reject(new Error(message));
               worker.postMessage(${RUNS[where]});
             })`,
      )) as { processors: number };
      t.match(found, {
        auto: { count: Math.min(found.processors, 8) },
        one: { count: 1, reason: 'setThreads(1)' },
        counts: [
          [2, true],
          [3, true],
        ],
        left: [0, 0, 0],
        ofThreads: 0,
        end: { count: 1 },
      });
    });
  }

  await t.test('predictions', async (t) => {
    const served: Record<string, () => Uint8Array> = {};
    for (const quantize of ['none', 'int8'] as const) {
      const { files } = await convertedSink('grootv/grootv_nano_mnist.pth', { quantize });
      for (const [name, bytes] of files) served[`/${quantize}/${name}`] = () => bytes;
    }
    const page = await open(t, served);
    const workers = () => page.workers().length;
    for (const threads of [1, 2]) {
      for (const quantize of ['none', 'int8']) {
        await t.test(`leave nothing behind: ${quantize}, threads: ${threads}`, async (t) => {
          await page.evaluate(`checkPredictions(${threads}, '${quantize}', 2)`);
          const before = workers();
          const found = await page.evaluate(`checkPredictions(${threads}, '${quantize}', ${PREDICTIONS})`);
          t.same(found, { threads, changed: {}, left: 0 });
          t.equal(workers(), before, 'workers');
        });
      }
    }

    await t.test('that are replayed: the same bits on any number of threads', async (t) => {
      // A recording for one number of threads is not replayed with another.
      const replayed = [false, false, true, true, ...Array(3).fill([false, true, true, true]).flat()];
      t.same(await page.evaluate(`checkReplays('none')`), { isSame: true, areOthers: true, replayed });
    });
  });

  await t.test('the script of a thread as a file', async (t) => {
    const page = await open(t);
    t.match(await page.evaluate('checkScript()'), {
      error: /a thread did not start: the script \/nowhere.js cannot be loaded/,
      refused: { count: 1, reason: /nowhere/ },
      given: { count: 2 },
      isSame: true,
    });
  });
});
