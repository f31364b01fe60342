import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { SPECS } from '../plugin/ops/specs.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import type { ConformanceCase } from './case.js';
import { digestOf } from './digest.js';
import {
  type Backend,
  BackendMissing,
  type CaseResult,
  defineBackend,
  generatedCases,
  NotSupported,
  reportOf,
  runConformance,
} from './index.js';
import { nodeLoaders } from './node.js';
import { standardBackend } from './runners/standard.js';
import { specCases } from './spec_cases.js';

const scan = treeScanSpec.op.name;
const cpu = () => standardBackend('cpu', nodeLoaders);
const scans = (seed?: number) => generatedCases(seed).filter(({ op }) => op === scan);

t.test('the example of the README: a wrong kernel, and the verdict on it', async (t) => {
  const wrong = defineBackend({
    name: 'forgetful',
    kernels: {
      // Wrong: always sums the subtree only, whatever is asked for, and omits every second decay.
      [scan]: ({ inputs: { x, decay, order, parent }, outputs: { y }, shapes: { x: shape } }) => {
        const [batch, V, D] = shape;
        y.set(x);
        for (let b = 0; b < batch; b++) {
          for (let i = V - 1; i > 0; i--) {
            const child = b * V + order[b * V + i];
            const above = b * V + order[b * V + parent[b * V + i]];
            for (let d = 0; d < D; d += 2) y[above * D + d] += decay[child * D + d] * y[child * D + d];
          }
        }
      },
    },
  });
  const report = await runConformance({ backends: [wrong], seed: 1, cases: scans(1) });
  const forward = report.cases.filter(({ op }) => op === scan);
  t.ok(report.summary.fail > 10, `${report.summary.fail} of ${report.summary.total} fail`);
  t.ok(
    forward.some(({ verdict }) => verdict === 'pass'),
    'V = 1 is still right',
  );
  t.match(
    forward.find(({ verdict }) => verdict === 'fail'),
    {
      backend: 'forgetful',
      device: new RegExp(`plain kernels over a copy of cpu: ${scan}`),
      reason: /^y \(float64 oracle\)\[\d+\] is .*, expected .*: off by .*, allowed/,
      maxAbs: Number,
      worstInputs: { x: String, decay: String },
    },
  );
  t.equal(tf.findBackend('forgetful'), null, 'nothing of it is left in tfjs');
});

t.test('the same cases on a right backend pass, and a report has its fields', async (t) => {
  const progress: number[] = [];
  const report = await runConformance({
    backends: [cpu()],
    cases: scans(),
    seed: 5,
    onProgress: ({ done }) => progress.push(done),
  });
  t.match(report.summary, { fail: 0, skip: 0, 'tie-flip': 0, total: report.cases.length });
  t.equal(progress.length, report.cases.length);
  t.equal(report.environment.seed, 5);
  for (const result of report.cases) {
    t.hasProps(result, [
      'case',
      'op',
      'backend',
      'device',
      'verdict',
      'reason',
      'maxAbs',
      'maxRel',
      'maxUlp',
      'ms',
    ]);
    t.same(result.leftBehind, { tensors: 0, bytes: 0 });
    t.not(result.sameOnRepeat, false);
  }
});

t.test('what is not there is skipped with its reason, and fails when it is required', async (t) => {
  const missing = (): Backend =>
    defineBackend({
      name: 'missing',
      tfjs: 'missing',
      start: () => Promise.reject(new BackendMissing('not bought yet')),
    });
  const cases = scans().slice(0, 2);
  const report = await runConformance({ backends: [missing(), cpu()], cases });
  t.match(report.cases[0], { backend: 'missing', verdict: 'skip', reason: 'not bought yet' });
  t.equal(report.summary.fail, 0);
  const required = await runConformance({ backends: [missing(), cpu()], cases, require: ['missing'] });
  t.match(required.cases[0], { verdict: 'fail', reason: 'required, but skipped: not bought yet' });
  t.equal((await runConformance({ backends: [missing()], cases, require: true })).summary.fail, 1);
  const broken = defineBackend({
    name: 'broken',
    tfjs: 'x',
    start: () => Promise.reject(new Error('smoke')),
  });
  t.match((await runConformance({ backends: [broken], cases })).cases[0], {
    verdict: 'fail',
    reason: 'did not start: smoke',
  });
});

t.test('a backend of functions: what it cannot do is skipped, what throws fails', async (t) => {
  const backend = defineBackend({
    name: 'function',
    run: async (op) => {
      if (op === scan) throw new NotSupported('no scans here');
      throw new Error('on fire');
    },
  });
  const cases: ConformanceCase[] = [
    ...scans().slice(0, 2),
    ...generatedCases().filter(({ op }) => op === 'PathTree'),
    { kind: 'program', name: 'p', op: 'Model', run: () => Promise.reject(new Error('not reached')) },
    { kind: 'skipped', name: 's', op: 'File', reason: 'unknown' },
  ];
  const { cases: results } = await runConformance({ backends: [backend], cases });
  const reasons = new Set(results.map(({ verdict, op, reason }) => `${verdict} ${op}: ${reason}`));
  t.ok(reasons.has(`skip ${scan}: no scans here`));
  t.ok(reasons.has(`skip ${scan} gradient: function gives no gradients of ${scan}`));
  t.ok(reasons.has('fail PathTree: threw: on fire'));
  t.ok(reasons.has('skip Model: function runs single ops only'));
  t.ok(reasons.has('skip File: unknown'));
});

t.test('a signal ends a run between two cases', async (t) => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const cases = scans().slice(0, 6);
  const stops: string[] = [];
  const backend = (name: string): Backend => ({ ...cpu(), name, stop: async () => void stops.push(name) });
  const results: CaseResult[] = [];
  const run = runConformance({
    backends: [backend('first'), backend('second')],
    cases,
    signal: controller.signal,
    onProgress: ({ result }) => {
      results.push(result);
      if (results.length === 3) controller.abort(reason);
    },
  });
  await t.rejects(run, reason);
  t.same([results.length, stops], [3, ['first']], 'the backend is stopped, and no other starts');
  t.match(reportOf(results).summary, { total: 3, pass: 3 });

  const waiting = new AbortController();
  const slow: ConformanceCase = {
    kind: 'program',
    name: 'slow',
    op: 'Program',
    run: async () => {
      const until = performance.now() + 20;
      while (performance.now() < until);
      return { verdict: 'pass', reason: '' };
    },
  };
  setTimeout(() => waiting.abort(reason));
  const busy = runConformance({
    backends: [cpu()],
    cases: Array.from({ length: 8 }, (_, i) => ({ ...slow, name: `slow ${i}` })),
    signal: waiting.signal,
  });
  await t.rejects(busy, reason, 'a timer fires between cases that never wait');
});

t.test('tensors left behind fail a case', async (t) => {
  const leaky: ConformanceCase = {
    kind: 'program',
    name: 'leaky',
    op: 'Program',
    run: async () => {
      t.teardown(() => leaked.dispose());
      const leaked = tf.tensor1d([1, 2]);
      return { verdict: 'pass', reason: '' };
    },
  };
  const { cases } = await runConformance({ backends: [cpu()], cases: [leaky] });
  t.match(cases[0], { verdict: 'fail', reason: '1 tensors (8 bytes) left behind' });
});

t.test('names and kernels that cannot be', async (t) => {
  t.throws(() => defineBackend({ name: 'my_backend', tfjs: 'cpu' }), /without _ or spaces/);
  t.throws(
    () => defineBackend({ name: 'mine', kernels: { Convolve: () => {} } }),
    /no op Convolve is declared/,
  );
});

t.test('the seed fixes the generated cases', async (t) => {
  const inputs = (seed: number) =>
    SPECS.flatMap((spec) => specCases(spec, seed)).map(({ name, inputs }) => {
      const shapes = Object.entries(inputs).map(([input, { shape }]) => `${input} [${shape}]`);
      return `${name}: ${shapes}, ${digestOf(Object.values(inputs))}`;
    });
  const third = inputs(3);
  t.same(inputs(3), third);
  t.notSame(inputs(4), third);
});
