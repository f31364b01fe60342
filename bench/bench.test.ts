/** Checks that everything can be measured, not how fast it is. */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { countGrootLParameters } from '../converters/architectures/grootl/architecture.js';
import { Gelu, gelu } from '../plugin/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import { type OpSpec, specOf } from '../plugin/ops/spec/spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import type { Heap } from '../wasm/heap.js';
import '../wasm/index.js';
import { withBuiltInOps } from '../conformance/built_in_ops.js';
import { benchCold } from './cold.js';
import { benchConvolutions } from './convolutions.js';
import { workerScript } from './cores.js';
import { benchDense, maskRCNN, uperNet } from './dense.js';
import { withFigures } from './figures.js';
import { benchGroups } from './groups.js';
import { benchImages } from './images.js';
import { benchLanguageModel } from './language_model.js';
import { buildNative } from './native.js';
import { benchOps } from './ops.js';
import { OTHER_CODE } from './other_code.js';
import { perfCall, TIMED_SPECS, triadCall } from './perf_calls.js';
import { MAMBA_130M } from './random_mamba.js';
import { type BenchReport, formatReport } from './report.js';
import { benchScans } from './scans.js';
import { streamingRead } from './streaming_read.js';
import { benchTraining } from './training.js';

const native = buildNative();
t.before(() => tf.setBackend('wasm'));
t.teardown(() => 'close' in native && native.close());

const ENVIRONMENT = { backend: 'wasm', threads: 1, cpu: 'a', runtime: 'b', tfjs: 'c', date: 'd' };
const SCAN = treeScanSpec.op.name;
const SIZE = { side: 6, channels: 20 };

const sumOf = (tensors: readonly tf.Tensor[]) =>
  tensors.reduce((sum, tensor) => {
    for (const value of tensor.dataSync()) sum += value;
    return sum;
  }, 0);

t.test('the alternatives compute the same', async (t) => {
  for (const [spec, { javascript, native: nativeProblem }] of OTHER_CODE) {
    const call = perfCall(spec, SIZE);
    // The call that counted bytes used the first sample; native code returns the sum of the first one.
    const { name } = spec.op;
    for (let i = 1; i < call.samples.length; i++) tf.dispose(call.runs[name]());
    const ours = call.runs[name]();
    const magnitude = ours.reduce((sum, { size }) => sum + size, 0);
    if (javascript) {
      const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(ours[0], javascript(call.samples[0].inputs)))));
      t.ok(difference.dataSync()[0] < 1e-4, `${name} in JavaScript`);
    }
    if ('missing' in native) {
      t.comment(`no native times: ${native.missing}`);
    } else {
      const { us, checksum } = native.run(nativeProblem(call));
      t.ok(us > 0);
      t.ok(Math.abs(sumOf(ours) - checksum) <= 1e-4 * magnitude, `${name} in native code`);
    }
    tf.dispose(ours);
    call.dispose();
  }
  if ('peak' in native) t.ok(native.peak() > 0);
});

t.test('every op runs, its batches too, and leaves no tensor behind', (t) => {
  const before = tf.memory().numTensors;
  for (const spec of TIMED_SPECS) {
    const [one, three] = [1, 3].map((batch) => {
      const call = perfCall(spec, SIZE, batch);
      const sizes = Object.values(call.runs).map((run) => {
        const outputs = run();
        const [{ shape }] = outputs;
        tf.dispose(outputs);
        return shape;
      });
      const inputs = Object.values(call.samples[0].inputs).reduce((sum, { size }) => sum + size, 0);
      t.ok(call.bytes > 4 * inputs, `${spec.op.name}: bytes`);
      call.dispose();
      return sizes;
    });
    const expected = one.map(([batch, ...rest]) => [3 * batch, ...rest]);
    if (spec.op.outputs[spec.op.outputNames[0]].shape[0] === 'B') t.same(three, expected, spec.op.name);
  }
  const triad = triadCall(SIZE, 2);
  t.equal(triad.bytes, 4 * 3 * 2 * 36 * 20);
  triad.dispose();
  t.equal(tf.memory().numTensors, before);
  t.end();
});

t.test('built-in ops are run, and the kernels come back', async (t) => {
  const x = tf.tensor1d([1, 2]);
  const kernels = async () => (await tf.profile(() => gelu(x))).kernelNames;
  t.ok((await kernels()).includes('Gelu'));
  t.ok((await withBuiltInOps([Gelu], kernels)).includes('Erf'));
  t.ok((await kernels()).includes('Gelu'));
});

t.test('every op is timed, with what it is compared with', async (t) => {
  const before = tf.memory().numTensors;
  const times = await benchOps(native, undefined, [{ side: 2, channels: 4 }], { rounds: 1, time: 1 });
  for (const { op, us, triadUs } of times) t.ok(us > 0 && triadUs > 0, op);
  for (const { op } of TIMED_SPECS) {
    const time = times.find((time) => time.op === op.name);
    const alternative = op.compose && hasOwnKernel(op, 'wasm') ? 'built-in ops' : undefined;
    t.ok(OTHER_CODE.has(specOf(op.name) as OpSpec) || time?.alternative === alternative, op.name);
  }
  t.equal(times.filter(({ nativeUs }) => nativeUs).length, 'run' in native ? OTHER_CODE.size : 0);
  t.match(
    times.find(({ op }) => op === SCAN),
    { alternative: 'JavaScript loop' },
  );
  t.equal(tf.memory().numTensors, before);
});

const prediction = { ms: 2, kernelCalls: 3, kernels: [{ kernel: 'GatedLinear', calls: 3, ms: 1.5 }] };
const REPORT: BenchReport = {
  environment: ENVIRONMENT,
  ops: [
    {
      ...{ stage: '56x56x160', op: SCAN, us: 10, triadUs: 5, nativeUs: 5 },
      ...{ alternativeUs: 80, alternative: 'JavaScript loop' },
    },
    { stage: '2x2x2', op: SCAN, us: 2, triadUs: 1 },
  ],
  products: [{ shape: '1x2x3', linear: 60, matMul: 40 }],
  convolutions: [{ size: '4x4x2 -> 3, 3x3', ours: 50, builtIn: 20 }],
  scaling: [{ vertices: 49, scanNs: 1, triadNs: 0.5, treeNs: 20, nativeScanNs: 0.8, nativeTreeNs: 16 }],
  threads: {
    ...{ threads: 2, one: prediction, several: { ...prediction, ms: 1 }, speedup: 1.5, isSame: true },
    ...{ undisturbed: { rounds: 3, speedup: 1.9 }, cores: 1.6, rounds: 7 },
  },
  prediction: { fused: prediction, builtIn: { ...prediction, ms: 4 }, largestDifference: 1e-6 },
};

t.test('the report for people', async (t) => {
  const text = formatReport(REPORT);
  t.match(text, /JavaScript loop.*\n.*\n\w+ +8\.0\n/);
  t.match(text, /Time relative to native code\n.*\n\w+ +2\.00\n/);
  t.match(text, /minus a call at 2x2x2\n.*\n\w+ +1\.60\n/);
  t.match(text, /49 +1\.00 +0\.50 +20\.0 +1\.25 +1\.25\n/);
  t.match(text, /ratio 0\.50/);
  t.match(text, /4x4x2 -> 3, 3x3 +50\.0 +20\.0 +2\.50\n/);
});

t.test('convolutions', async (t) => {
  const before = tf.memory().numTensors;
  const size = { height: 7, width: 6, inputs: 3, outputs: 5, side: 3, stride: 2 };
  const [time] = await benchConvolutions([size], { rounds: 1, time: 1 });
  t.match(time, { size: '7x6x3 -> 5, 3x3, stride 2' });
  t.ok(Math.min(time.ours, time.builtIn) > 0);
  t.equal(tf.memory().numTensors, before);
});

t.test('figures in documents', async (t) => {
  const document =
    'a\n<!-- bench: summary -->\nold\n<!-- bench: end -->\nb\n<!-- bench: tables --><!-- bench: end -->';
  const given = withFigures(document, REPORT);
  t.match(given, /^a\n<!-- bench: summary -->\n\nwasm, 1 thread, a, b, tfjs c, d:\n\n/);
  t.match(
    given,
    /\| \w+, 56x56x160 \| 10 us, 2\.00 times native code, 8\.0 times as fast as a JavaScript loop \|/,
  );
  t.notMatch(given, /old/);
  t.equal(withFigures(given, REPORT), given, 'again, nothing changes');
});

t.test('the documents show the newest results', async (t) => {
  const at = (path: string) => new URL(path, import.meta.url);
  const results = existsSync(at('results'))
    ? readdirSync(at('results')).filter((name) => name.endsWith('.json'))
    : [];
  const newest = results.sort().at(-1);
  if (!newest) return t.comment('no results yet: the figures are those of an earlier bench');
  const report = JSON.parse(readFileSync(at(`results/${newest}`), 'utf8')) as BenchReport;
  for (const path of ['README.md', '../README.md']) {
    const document = readFileSync(at(path), 'utf8');
    t.match(document, /<!-- bench: \w+ -->/, path);
    t.equal(withFigures(document, report), document, `${path}: run scripts/bench_figures.mjs`);
  }
});

t.test('the first prediction in processes of its own', async (t) => {
  const cold = await benchCold({ channels: 8, depths: [1, 1] }, 32, 1);
  const { side, processes, ratio, ...times } = cold;
  t.same({ side, processes }, { side: 32, processes: 1 });
  for (const [what, ms] of Object.entries(times)) t.ok(ms > 0, what);
  t.equal(ratio, (times.loadMs + times.firstMs) / times.warmMs);
  const text = formatReport({
    environment: ENVIRONMENT,
    cold: { ...cold, startMs: 500, loadMs: 200, firstMs: 300, warmMs: 200, ratio: 2.5 },
  });
  t.match(text, /32 x 32, .* 2\.50 times a warm prediction, median of 1 processes/);
  t.match(text, /\nloading +200\nfirst prediction +300\nwarm prediction +200\nbefore .* 500/);
});

t.test('a language model in a process of its own', async (t) => {
  const sizes = { ...MAMBA_130M, layers: 2, hidden: 16, intermediate: 32, stepRank: 2, vocabulary: 50 };
  const program = 'program' in native ? native.program : undefined;
  const task = { promptTokens: 9, tokens: 3, rounds: 1 };
  const times = await benchLanguageModel(program, sizes, task);
  t.match(times, { ...task, parameters: countGrootLParameters(sizes) });
  t.equal(times.weightBytes, 4 * times.parameters, 'a tied head is there once');
  const { prefillMs, productMs, productRate, tokenMs, readMs, peakBytes, nativeReadMs } = times;
  for (const time of [prefillMs, productMs, productRate, tokenMs, readMs]) t.ok(time > 0);
  if (program) t.ok((nativeReadMs as number) > 0);
  t.ok(peakBytes > times.weightBytes);
  const text = formatReport({
    environment: ENVIRONMENT,
    language: { ...times, prefillMs: 30, productMs: 20, tokenMs: 5, readMs: 4, nativeReadMs: 2 },
  });
  t.match(text, /prompt of 9 tokens, ms +30 .* 20 +1\.50\n/);
  t.match(text, /each further token, ms +5\.0 .* 4\.0 +1\.25\neach further token, ms +5\.0 .* 2\.0 +2\.50\n/);
});

t.test('scans whose channels share a decay', async (t) => {
  const before = tf.memory().numTensors;
  const times = await benchGroups([{ side: 5, channels: 8 }], { rounds: 1, time: 5 });
  t.same(
    times.map(({ aggregate }) => aggregate),
    ['all', 'root', 'leaves'],
  );
  for (const { us, streamUs, expandedUs, expandingUs } of times) {
    t.ok(Math.min(us, streamUs, expandedUs, expandingUs) > 0);
  }
  t.match(formatReport({ environment: ENVIRONMENT, groups: times }), /5x5x8, leaves +\d/);
  t.equal(tf.memory().numTensors, before);
});

t.test('other ways of scanning', async (t) => {
  const before = tf.memory().numTensors;
  const sizes = { channels: 8, depths: [2, 1], stemStride: 1 } as const;
  const times = await benchScans([{ name: 'tiny', sizes, side: 20, rounds: 2 }]);
  t.same(
    times.map(({ scan }) => scan),
    ['one tree per block', 'one tree per stage', 'raster', 'cross'],
  );
  for (const { scan, ms, ratio, treeMs, scanMs } of times) {
    t.ok(ms > 0 && ratio > 0 && scanMs > 0, scan);
    t.equal(treeMs > 0, scan.startsWith('one tree'), scan);
  }
  t.equal(times[0].ratio, 1);
  t.match(formatReport({ environment: ENVIRONMENT, scans: times }), /tiny, 20 x 20, cross +\d/);
  t.equal(tf.memory().numTensors, before);
});

t.test('segmenters and detectors in processes of their own', async (t) => {
  const trunk = { name: 'tiny', channels: 8, depths: [1, 1, 1, 1] };
  const head = { ...trunk, classes: 5, pyramidChannels: 8, boxChannels: 16, maskChannels: 8 };
  const networks = [uperNet({ ...trunk, headChannels: 8 }, 64), maskRCNN(head, 64, 96)];
  const dense = await benchDense(networks, 1);
  t.match(dense, [
    { name: 'UperNet, tiny', height: 64, width: 64 },
    { name: 'Mask R-CNN, tiny', height: 64, width: 96 },
  ]);
  for (const { name, kernels, otherShare, ...numbers } of dense) {
    for (const [what, value] of Object.entries(numbers)) t.ok(value > 0, `${name}: ${what}`);
    t.ok(otherShare > 0 && otherShare < 1, `${name}: share`);
    t.ok(kernels.length > 10, `${name}: kernels`);
  }
  const times = { ...dense[0], ms: 20, convolutionRate: 30, productRate: 40, otherShare: 0.02 };
  const text = formatReport({ environment: ENVIRONMENT, dense: [times] });
  t.match(text, /UperNet, tiny, 64 x 64 +20 .* 30\.0 +40\.0 +0\.75 +2\.0\n/);
});

t.test('training in processes of its own', async (t) => {
  const sizes = { channels: 8, depths: [1, 1, 1, 1] };
  const job = { sizes, side: 32, batch: 2 };
  const training = await benchTraining({ ...job, rounds: 2 }, job);
  for (const [what, value] of Object.entries(training)) t.ok(value > 0, what);
  t.ok(training.treeShare < 1);
  const times = {
    forwardMs: 20,
    stepMs: 50,
    ratio: 2.5,
    treeShare: 0.04,
    peakBytes: 2e9,
    checkpointedBytes: 1e9,
  };
  const text = formatReport({ environment: ENVIRONMENT, training: times });
  t.match(text, /50\.0 ms +forward in training mode, 20\.0 ms +2\.50\n/);
  t.match(text, /share of tree ops +4\.0 % +step/);
  t.match(text, /1000 MB +without checkpointing, 2000 MB +0\.50/);
});

t.test('runs over many images in processes of their own', async (t) => {
  const sizes = { channels: 4, depths: [1], classes: 3 };
  const said: string[] = [];
  const times = await benchImages((what) => said.push(what), {
    ...{ photographs: 3, rounds: 1, large: sizes, digits: 12, few: 2, many: 9 },
    program: fileURLToPath(new URL('../dist/node/cli/main.js', import.meta.url)),
  });
  t.match(times, { digits: 12, few: 2, many: 9 });
  const { pipeline, oneWorkerSeconds, twoWorkersSeconds, queueSeconds, fewPeakBytes, manyPeakBytes } = times;
  for (const value of Object.values(pipeline)) t.ok(value > 0);
  for (const seconds of [oneWorkerSeconds, twoWorkersSeconds]) t.ok(seconds > 0.1);
  if (typeof queueSeconds === 'number') t.ok(queueSeconds > 0.1);
  else t.match(queueSeconds, { missing: /redis-server cannot be started: .*ENOENT/ });
  for (const bytes of [fewPeakBytes, manyPeakBytes]) t.ok(bytes > 50e6 && bytes < 1e9, String(bytes));
  t.ok(said.includes('12 digits, workers: 2'), said.join());
  const text = formatReport({
    environment: ENVIRONMENT,
    images: {
      ...{ pipeline: { batch: 8, runMs: 208, modelMs: 200, ratio: 1.04 }, digits: 10_000 },
      ...{ oneWorkerSeconds: 38, twoWorkersSeconds: 20, queueSeconds: 20.5, few: 1000, many: 100_000 },
      ...{ fewPeakBytes: 200e6, manyPeakBytes: 210e6 },
    },
  });
  t.match(text, /batches of 8 +208\.0 ms +the model alone +200\.0 ms +1\.040\n/);
  t.match(text, /10000 digits, 1 worker +38\.0 s +2 workers +20\.0 s +1\.90\n/);
  t.match(text, /time of 10000 digits, 2 workers +20\.0 s +2 workers of a queue +20\.5 s +0\.98\n/);
  t.match(text, /memory of 100000 images +210 MB +of 1000 images +200 MB +1\.05/);
});

t.test('a streaming read reads what it says, and not beyond the memory', async (t) => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const heap = { memory } as Heap;
  t.ok(streamingRead(heap, 2 ** 16)() >= 0);
  t.throws(() => streamingRead(heap, 2 ** 16 + 1), {
    message: /65600 bytes are to be read, the memory has 65536/,
  });
});

t.test('the worker beside a page measures whatever a bundler calls its function', (t) => {
  const posted: unknown[] = [];
  const worker = { postMessage: (value: unknown) => posted.push(value), onmessage: () => {} };
  runInNewContext(
    workerScript(function rateOf2(limit, turns) {
      return limit * turns;
    }),
    worker,
  );
  worker.onmessage();
  t.same(posted, [600_000]);
  t.end();
});
