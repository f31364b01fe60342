/** That everything can be measured, not how fast it is. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { boruvkaMST, Gelu, gelu, treeScan } from '../plugin/index.js';
import type { Heap } from '../wasm/heap.js';
import '../wasm/index.js';
import { countGrootLParameters } from '../converters/architectures/grootl/architecture.js';
import { javascriptScan } from './javascript_scan.js';
import { benchLanguageModel } from './language_model.js';
import { buildNative } from './native.js';
import { MAMBA_130M } from './random_mamba.js';
import { formatReport } from './report.js';
import { stageTensors } from './stages.js';
import { withStockOps } from './stock.js';
import { streamingRead } from './streaming_read.js';
import { medianTimes } from './timing.js';

t.before(() => tf.setBackend('wasm'));

t.test('the alternatives compute the same', async (t) => {
  const before = tf.memory().numTensors;
  const tensors = stageTensors({ name: '6x6x20', side: 6, channels: 20 });
  const { x, decay, tree } = tensors;
  const [ours, loop] = [treeScan(x, decay, tree), javascriptScan(tensors)].map((y) => {
    const values = y.dataSync() as Float32Array;
    y.dispose();
    return values;
  });
  t.ok(Math.max(...ours.map((y, i) => Math.abs(y - loop[i]))) < 1e-4);
  const native = buildNative();
  if ('missing' in native) {
    t.comment(`no native times: ${native.missing}`);
  } else {
    const { treeUs, scanUs, checksum, peak } = native.run(tensors);
    t.ok(treeUs > 0 && scanUs > 0 && peak > 0);
    const sum = ours.reduce((total, y) => total + y, 0);
    t.ok(
      Math.abs(sum - checksum) <= 1e-4 * ours.reduce((total, y) => total + Math.abs(y), 1),
      'the same scan',
    );
    native.close();
  }
  tensors.dispose();
  t.equal(tf.memory().numTensors, before);
});

t.test('stock ops are run, and the kernels come back', async (t) => {
  const x = tf.tensor1d([1, 2]);
  const kernels = async () => (await tf.profile(() => gelu(x))).kernelNames;
  t.ok((await kernels()).includes('Gelu'));
  t.ok((await withStockOps([Gelu], kernels)).includes('Erf'));
  t.ok((await kernels()).includes('Gelu'));
});

t.test('times, and the report for people', async (t) => {
  const edges = tf.tensor2d([0, 1], [1, 2], 'int32');
  const weights = tf.zeros([1, 1]);
  const { tree } = await medianTimes(
    { tree: () => boruvkaMST(weights, edges, { numVertices: 2 }).dispose() },
    { rounds: 1, time: 5 },
  );
  t.ok(tree > 0);
  const prediction = { ms: 2, kernelCalls: 3, kernels: [{ kernel: 'Linear', calls: 3, ms: 1.5 }] };
  const text = formatReport({
    environment: { backend: 'wasm', threads: 1, cpu: 'a', runtime: 'b', tfjs: 'c', date: 'd' },
    calls: { treeScan: 2, boruvkaMST: 5 },
    ops: [
      { stage: 's', op: 'treeScan', us: 10, triadUs: 5, alternativeUs: 80, alternative: 'JavaScript loop' },
    ],
    products: [{ shape: '1x2x3', linear: 60, matMul: 40 }],
    scaling: [{ vertices: 49, scanNs: 1, triadNs: 0.5, treeNs: 20 }],
    prediction: { fused: prediction, stock: { ...prediction, ms: 4 }, largestDifference: 1e-6 },
  });
  t.match(text, /8\.0 \(JavaScript loop\)/);
  t.match(text, /ratio 0\.50/);
});

t.test('a language model in a process of its own', async (t) => {
  const sizes = { ...MAMBA_130M, layers: 2, hidden: 16, intermediate: 32, stepRank: 2, vocabulary: 50 };
  const native = buildNative();
  const program = 'program' in native ? native.program : undefined;
  const task = { promptTokens: 9, tokens: 3, rounds: 1 };
  const times = await benchLanguageModel(program, sizes, task);
  t.match(times, { ...task, parameters: countGrootLParameters(sizes) });
  t.equal(times.weightBytes, 4 * times.parameters, 'a tied head is there once');
  const { prefillMs, productMs, productRate, tokenMs, readMs, peakBytes, nativeReadMs } = times;
  for (const time of [prefillMs, productMs, productRate, tokenMs, readMs]) t.ok(time > 0);
  if ('close' in native) t.ok((nativeReadMs as number) > 0);
  else t.comment(`no native times: ${native.missing}`);
  if ('close' in native) native.close();
  t.ok(peakBytes > times.weightBytes);
  const environment = { backend: 'wasm', threads: 1, cpu: 'a', runtime: 'b', tfjs: 'c', date: 'd' };
  const text = formatReport({
    environment,
    language: { ...times, prefillMs: 30, productMs: 20, tokenMs: 5, readMs: 4, nativeReadMs: 2 },
  });
  t.match(text, /9 tokens of a prompt, ms +30 .* 20 +1\.50\n/);
  t.match(text, /a token, ms +5\.0 .* 4\.0 +1\.25\n +5\.0 .* 2\.0 +2\.50\n/);
});

t.test('a streaming read reads what it says, and not beyond the memory', async (t) => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const heap = { memory } as Heap;
  t.ok(streamingRead(heap, 2 ** 16)() >= 0);
  t.throws(() => streamingRead(heap, 2 ** 16 + 1), {
    message: /65600 bytes are to be read, the memory has 65536/,
  });
});
