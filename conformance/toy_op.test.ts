/** The steps of docs/add-an-op.md and docs/add-a-backend.md, with an op and a backend that exist only here. */
import { add, gather, mul, range, reshape, type Tensor } from '@tensorflow/tfjs-core';
import t from 'tap';
import { defineOp } from '../plugin/ops/declare.js';
import { always } from '../plugin/ops/spec/faults.js';
import { defineSpec, kernelOf } from '../plugin/ops/spec/spec.js';
import { defineBackend, runConformance } from './index.js';
import { checkMutations } from './mutate.js';
import { nodeLoaders } from './node.js';
import { standardBackend } from './runners/standard.js';
import { specCases } from './spec_cases.js';

const PairSum = defineOp({
  name: 'PairSum',
  doc: 'y[.., p] = scale * (x[.., 2p] + x[.., 2p+1])',
  inputs: { x: { dtype: 'float32', shape: ['...', 'C'], doc: 'features' } },
  attributes: { scale: { type: 'number', graphName: 'scale', default: 1, least: 0, doc: 'of the sums' } },
  derived: { P: 'C/2' },
  least: { P: 1 },
  outputs: { y: { dtype: 'float32', shape: ['...', 'P'], doc: 'sums of pairs' } },
  compose: ({ x }, { scale }) => {
    const channels = x.shape[x.rank - 1];
    const half = (first: number) => gather(x, range(first, channels, 2, 'int32'), x.rank - 1);
    return mul(add(half(0), half(1)), scale);
  },
  gradient: {
    saves: ['x'],
    compute: ({ x }, [dy], { scale }) => ({
      x: (): Tensor => {
        const pairs = reshape(dy, [...dy.shape, 1]);
        return reshape(mul(add(pairs, [0, 0]), scale), x.shape);
      },
    }),
  },
});

const pairSumSpec = defineSpec(PairSum, {
  formula: ({ inputs: { x }, attributes: { scale } }) => ({
    y: Float64Array.from({ length: x.length / 2 }, (_, i) => scale * (x[2 * i] + x[2 * i + 1])),
  }),
  tolerance: { float32: 2e-7, shader: 1e-6, reason: 'one sum, one product' },
  samples: (random) => [
    { what: 'C = 6', inputs: { x: random.tensor([2, 3, 6]) }, attributes: { scale: 3 } },
    { what: 'C = 2', inputs: { x: random.tensor([2]) } },
  ],
  faults: {
    'the scale is left out': always({ scale: 1 }),
  },
});

t.test(
  'one declaration and one spec: checked with gradients, composed, on a backend of plain kernels',
  async (t) => {
    const cases = specCases(pairSumSpec);
    t.same(
      cases.map(({ name, outputGradients }) => `${name}${outputGradients ? ', gradient' : ''}`),
      ['generated C = 6', 'generated C = 6, gradient', 'generated C = 2', 'generated C = 2, gradient'],
    );
    const toy = defineBackend({ name: 'toy', kernels: { PairSum: kernelOf(pairSumSpec.formula) } });
    const report = await runConformance({ backends: [standardBackend('cpu', nodeLoaders), toy], cases });
    t.match(report.summary, { pass: 8, fail: 0, skip: 0 });
    t.match(report.cases[4].device, 'plain kernels over a copy of cpu: PairSum');
  },
);

t.test('its fault is caught', async (t) => {
  const { correct, caught } = await checkMutations(specCases(pairSumSpec), [pairSumSpec]);
  t.same(correct, []);
  t.match(caught, [{ op: 'PairSum', fault: 'the scale is left out', by: [{ verdict: 'fail' }] }]);
});

t.test('a wrong kernel of the toy backend fails', async (t) => {
  const wrong = defineBackend({
    name: 'wrong',
    kernels: { PairSum: ({ inputs: { x }, outputs: { y } }) => y.set(x.subarray(0, y.length)) },
  });
  const report = await runConformance({ backends: [wrong], cases: specCases(pairSumSpec) });
  t.match(report.summary, { fail: 2 });
});
