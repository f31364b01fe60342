/** Tests what is peculiar to recordings on the wasm backend: kernels of tfjs, values on the host, and memory. */
import * as tf from '@tensorflow/tfjs';
import t, { type Test } from 'tap';
import { treeScan } from '../plugin/index.js';
import { recorderOf } from '../plugin/kernels/recorders.js';
import { runOp } from '../plugin/ops/kernels.js';
import { Random } from '../plugin/ops/spec/random.js';
import type { Sample } from '../plugin/ops/spec/spec.js';
import type { CaseTensor } from '../plugin/ops/spec/tensor.js';
import { SPECS } from '../plugin/ops/specs.js';
import { testRecorder } from '../testing/recorder.js';
import { newWasmBackend, watchAllocations } from '../testing/wasm_backend.js';
import { ready } from './index.js';

tf.env().set('PROD', true);
await newWasmBackend();
await ready();
const blocks = watchAllocations();
const bytesInUse = () => [...blocks.values()].reduce((all, bytes) => all + bytes, 0);

testRecorder({ name: 'wasm', skip: false, bytesInUse, recordsParts: false });

type Compute = (inputs: readonly tf.Tensor[]) => tf.Tensor[];

const bitsOf = (tensors: readonly tf.Tensor[]) =>
  tensors.map((tensor) => Buffer.from(tensor.dataSync().slice().buffer).toString('hex'));

/** Runs a computation with the recorder. */
function run(owner: object, inputs: readonly tf.Tensor[], weights: readonly tf.Tensor[], compute: Compute) {
  let isComputed = false;
  const noting: Compute = (tensors) => {
    isComputed = true;
    return tf.tidy(() => compute(tensors));
  };
  const key = inputs.map(({ shape }) => `[${shape}]`).join();
  const results = recorderOf('wasm')?.run({ owner, key, inputs, weights, compute: noting }) ?? [];
  const values = bitsOf(results);
  tf.dispose(results);
  return { values, isComputed };
}

const toTensor = ({ dtype, shape, values }: CaseTensor) =>
  tf.tensor(values as Float32Array, [...shape], dtype === 'int32' ? 'int32' : 'float32');

const isEmpty = ({ inputs }: Sample) => Object.values(inputs).some(({ values }) => values.length === 0);

/** The same rows, boxes or pixels in another order. */
const otherValues = (tensor: tf.Tensor) =>
  tensor.rank < 2
    ? tf.reverse(tensor)
    : tf.reverse(
        tensor,
        tensor.shape.slice(0, -1).map((_, axis) => axis),
      );

/** Ops that cannot be replayed: values decide on the number of rows, or boxes are read on the host. */
const COMPUTED = [...SPECS.flatMap(({ op }) => (op.counted ? op.name : [])), 'PasteMasks', 'RoiAlign'];

for (const { op, samples } of SPECS) {
  t.test(`${op.name}: the same bits from a recording`, (t) => {
    for (const { what, inputs, attributes } of samples(new Random(1, op.name)).filter(
      (each) => !isEmpty(each),
    )) {
      const before = bytesInUse();
      const names = Object.keys(inputs);
      const tensors = new Map(names.map((name) => [name, toTensor(inputs[name])]));
      const weight = tf.scalar(2);
      // Ids remain as they are, as the edges of a grid and the weights of a model do.
      const fed = names.filter((name) => inputs[name].dtype !== 'int32');
      const compute: Compute = (given) => {
        const all = new Map([...tensors, ...fed.map((name, i) => [name, given[i]] as const)]);
        return [...runOp(op, Object.fromEntries(all), attributes), tf.neg(weight)];
      };
      const given = fed.map((name) => tensors.get(name) as tf.Tensor);
      const others = given.map(otherValues);
      const owner = {};
      for (const [i, feeds] of [given, given, others, given, others].entries()) {
        const { values, isComputed } = run(owner, feeds, [weight], compute);
        t.same(
          values,
          tf.tidy(() => bitsOf(compute(feeds))),
          what,
        );
        if (i > 1)
          t.equal(isComputed, COMPUTED.includes(op.name), `${what}: ${isComputed ? 'computed' : 'replayed'}`);
      }
      tf.dispose([...tensors.values(), ...others, weight]);
      t.equal(bytesInUse(), before, `${what}: nothing is left`);
    }
    t.end();
  });
}

/** Runs a computation until it is replayed, and checks its values each time. */
function replayed(t: Test, compute: Compute, weight: tf.Tensor, feeds: readonly tf.Tensor[]): void {
  const owner = {};
  const runs = [...feeds, ...feeds].map((feed) => ({ feed, ...run(owner, [feed], [weight], compute) }));
  for (const { feed, values } of runs)
    t.same(
      values,
      tf.tidy(() => bitsOf(compute([feed]))),
    );
  t.same(
    runs.map(({ isComputed }) => isComputed),
    runs.map((_, i) => i < 2),
  );
}

const rows = (seed: number) => tf.randomNormal([3, 8], 0, 1, 'float32', seed);

t.test('kernels of tfjs, views, tensors from the host, and lists of tensors', (t) => {
  const weight = tf.randomNormal([8, 8], 0, 1, 'float32', 9);
  const feeds = [1, 2, 3].map(rows);
  const ids = [2, 0, 1];
  replayed(
    t,
    ([x]) => {
      const product = tf.matMul(x, weight);
      const picked = tf.gather(product, tf.tensor1d(ids, 'int32'), 1);
      const joined = tf.concat([picked, tf.slice(x, [0, 1], [3, 2]), tf.zeros([3, 1])], 1);
      const isLarge = tf.greater(joined, tf.fill([3, 6], 0.25));
      return [
        tf.where(isLarge, joined, tf.mul(joined, 3)),
        tf.reshape(product, [4, 6]),
        tf.addN([x, x, product]),
      ];
    },
    weight,
    feeds,
  );
  tf.dispose([weight, ...feeds]);
  t.end();
});

t.test('an output that is an input, a weight, or given twice', (t) => {
  const weight = tf.randomNormal([3, 8], 0, 1, 'float32', 9);
  const feeds = [1, 2, 3].map(rows);
  replayed(
    t,
    ([x]) => {
      const sum = tf.add(x, weight);
      return [x.clone(), weight.clone(), sum, sum.clone()];
    },
    weight,
    feeds,
  );
  t.notOk(weight.isDisposed);
  tf.dispose([weight, ...feeds]);
  t.end();
});

t.test('what the host reads is computed each time', (t) => {
  const weight = tf.scalar(1);
  const [few, many] = [tf.tensor1d([1, 0, 0]), tf.tensor1d([1, 1, 0])];
  const compute: Compute = ([x]) => {
    const count = tf.sum(tf.mul(x, weight)).dataSync()[0];
    return [tf.fill([3], count)];
  };
  const owner = {};
  for (const [i, feed] of [few, few, many, few, many].entries()) {
    const { values, isComputed } = run(owner, [feed], [weight], compute);
    t.same(
      values,
      tf.tidy(() => bitsOf(compute([feed]))),
      `run ${i}`,
    );
    t.ok(isComputed);
  }
  tf.dispose([weight, few, many]);
  t.end();
});

t.test('recordings share memory, and nothing else uses it', (t) => {
  const before = bytesInUse();
  const weights = [4, 5].map((seed) => tf.randomNormal([64, 64], 0, 1, 'float32', seed));
  const x = tf.randomNormal([16, 64], 0, 1, 'float32', 1);
  const owners = [{}, {}];
  const computes = weights.map(
    (weight): Compute =>
      ([given]) => {
        let value = given;
        for (let i = 0; i < 5; i++) value = tf.tanh(tf.matMul(value, weight));
        return [value];
      },
  );
  const expected = computes.map((compute) => tf.tidy(() => bitsOf(compute([x]))));
  const results = (i: number) => run(owners[i], [x], [weights[i]], computes[i]);
  for (let round = 0; round < 3; round++) results(0);
  const ofOne = bytesInUse();
  for (let round = 0; round < 3; round++) results(1);
  t.equal(bytesInUse(), ofOne, 'the second needs no memory of its own');
  const others: tf.Tensor[] = [];
  for (let round = 0; round < 4; round++) {
    for (const i of [0, 1]) {
      const { values, isComputed } = results(i);
      t.notOk(isComputed);
      t.same(values, expected[i]);
      others.push(tf.fill([16, 64], round));
    }
  }
  for (const [i, other] of others.entries()) t.ok(other.dataSync().every((value) => value === i >> 1));
  weights[0].dispose();
  t.same(results(1).values, expected[1], 'the other remains');
  tf.dispose([x, weights[1], ...others]);
  t.equal(bytesInUse(), before, 'nothing is left');
  t.end();
});

t.test('a tensor that outlives the recorded run', (t) => {
  const weight = tf.scalar(2);
  const kept: tf.Tensor[] = [];
  const x = rows(1);
  const compute: Compute = ([given]) => {
    const product = tf.mul(given, weight);
    kept.push(tf.keep(tf.square(product)));
    return [product];
  };
  const owner = {};
  for (let i = 0; i < 4; i++) t.ok(run(owner, [x], [weight], compute).isComputed);
  const expected = tf.tidy(() => bitsOf([tf.square(tf.mul(x, weight))]));
  for (const tensor of kept) t.same(bitsOf([tensor]), expected);
  tf.dispose([x, weight, ...kept]);
  t.end();
});

t.test('a tensor from the host that outlives the recorded run', (t) => {
  const weight = tf.scalar(2);
  const kept: tf.Tensor[] = [];
  const x = rows(1);
  const compute: Compute = ([given]) => {
    kept.push(tf.keep(tf.tensor1d([1, 2, 3])));
    return [tf.mul(given, weight)];
  };
  const owner = {};
  for (let i = 0; i < 4; i++) t.ok(run(owner, [x], [weight], compute).isComputed);
  const other = tf.fill([3], 7);
  for (const tensor of kept) t.same([...tensor.dataSync()], [1, 2, 3]);
  tf.dispose([x, weight, other, ...kept]);
  t.end();
});

t.test('a tree from the host, in an order that the kernel changes', (t) => {
  const weight = tf.scalar(2);
  const decay = tf.fill([1, 4, 1], 0.5);
  const feeds = [1, 2].map((seed) => tf.randomNormal([1, 4, 1], 0, 1, 'float32', seed));
  const compute: Compute = ([x]) => {
    const tree = {
      order: tf.tensor2d([[0, 1, 3, 2]], undefined, 'int32'),
      parent: tf.tensor2d([[0, 0, 1, 0]], undefined, 'int32'),
    };
    return [treeScan(tf.mul(x, weight) as tf.Tensor3D, decay as tf.Tensor3D, tree)];
  };
  const owner = {};
  for (const i of [0, 0, 1, 0, 1]) {
    t.same(
      run(owner, [feeds[i]], [weight, decay], compute).values,
      tf.tidy(() => bitsOf(compute([feeds[i]]))),
    );
  }
  tf.dispose([weight, decay, ...feeds]);
  t.end();
});

t.test('many shapes: only what the last recordings need is kept', (t) => {
  const weight = tf.scalar(2);
  const owner = {};
  const before = bytesInUse();
  const use = (size: number) => {
    const x = tf.ones([size]);
    for (let i = 0; i < 3; i++) run(owner, [x], [weight], ([given]) => [tf.mul(given, weight)]);
    x.dispose();
  };
  for (let size = 1; size < 50; size++) use(1000 * size);
  t.ok(bytesInUse() - before < 2 * 4 * (2 * 50_000 + 64), `${bytesInUse() - before} bytes`);
  weight.dispose();
  t.end();
});

t.test('an error in the recorded run, and then none', (t) => {
  const weight = tf.scalar(2);
  const x = rows(1);
  let runs = 0;
  const compute: Compute = ([given]) => {
    runs++;
    const product = tf.mul(given, weight);
    if (runs === 2) throw new Error('once');
    return [product];
  };
  const owner = {};
  const before = bytesInUse();
  run(owner, [x], [weight], compute);
  t.throws(() => run(owner, [x], [weight], compute), /once/);
  t.equal(bytesInUse(), before, 'nothing is left');
  t.ok(run(owner, [x], [weight], compute).isComputed);
  t.notOk(run(owner, [x], [weight], compute).isComputed);
  tf.dispose([x, weight]);
  t.end();
});

t.test('more memory than recordings may have', (t) => {
  const before = bytesInUse();
  const weight = tf.scalar(2);
  const x = tf.ones([80, 1024, 1024]);
  const compute: Compute = ([given]) => [tf.sum(tf.mul(given, weight))];
  const owner = {};
  for (let i = 0; i < 3; i++) t.ok(run(owner, [x], [weight], compute).isComputed);
  tf.dispose([x, weight]);
  t.equal(bytesInUse(), before, 'nothing is left');
  t.end();
});
