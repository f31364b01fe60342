/** Tests checks on a backend that can only be read asynchronously and whose readSync throws. */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { boruvkaMST, gridGraph, readForChecks, treeScan } from '../index.js';
import { boruvkaMSTSpec } from '../ops/boruvka_mst.spec.js';
import { registerBackendKernel } from '../ops/kernels.js';
import { treeScanSpec } from '../ops/tree_scan.spec.js';
import { type HostArray, readAsynchronously } from './values.js';

class ToyBackend extends MathBackendCPU {
  /** Data of tensors that came from the host and have not been used yet. */
  readonly onHost = new WeakSet<object>();

  valuesOf({ dataId }: Pick<tf.TensorInfo, 'dataId'>): HostArray {
    return this.data.get(dataId).values as HostArray;
  }

  override readSync(): never {
    throw new Error('readSync was called');
  }

  override async read(dataId: object): Promise<HostArray> {
    return this.valuesOf({ dataId }).slice();
  }
}

tf.registerBackend('toy', () => new ToyBackend());
tf.copyRegisteredKernels('cpu', 'toy');
let knowsHostValues = false;
readAsynchronously('toy', (backend, tensor) => {
  const toy = backend as ToyBackend;
  return knowsHostValues && toy.onHost.has(tensor.dataId) ? toy.valuesOf(tensor) : undefined;
});
const seen: HostArray[] = [];
registerBackendKernel(treeScanSpec.op, 'toy', ({ inputs, outputs: [{ shape, dtype }], backend }) => {
  const { order, parent } = inputs as Record<string, tf.TensorInfo>;
  seen.splice(0, 2, ...[order, parent].map((tensor) => (backend as ToyBackend).valuesOf(tensor)));
  const values = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  return [{ dataId: backend.write(values, shape, dtype), shape, dtype }];
});
registerBackendKernel(boruvkaMSTSpec.op, 'toy', ({ outputs, backend }) =>
  [
    [0, 1],
    [0, 1, 2],
    [0, 0, 1],
  ].map((ids, i) => {
    const { shape, dtype } = outputs[i];
    return { dataId: backend.write(Int32Array.from(ids), shape, dtype), shape, dtype };
  }),
);
await tf.setBackend('toy');

const ids = (values: number[], onHost = true) => {
  const tensor = tf.tensor2d([values], undefined, 'int32');
  if (onHost) (tf.backend() as ToyBackend).onHost.add(tensor.dataId);
  return tensor;
};
const x = tf.ones([1, 3, 1]);
const unknown = {
  name: 'OpError',
  message: /^\w+: the values of a int32 tensor of shape \[1, 3\] .* await readForChecks\(tensor\)/,
};

t.test('ids that the host has are checked', async (t) => {
  knowsHostValues = true;
  treeScan(x, x, { order: ids([2, 0, 1]), parent: ids([0, 0, 1]) });
  t.same(
    seen.map((values) => [...values]),
    [
      [2, 0, 1],
      [0, 0, 1],
    ],
  );
  t.throws(() => treeScan(x, x, { order: ids([2, 0, 3]), parent: ids([0, 0, 1]) }), /order\[0, 2\] is 3/);
  const known = ids([0, 1, 2]);
  t.throws(() => treeScan(x, x, { order: known, parent: ids([0, 0, 1], false) }), unknown);
});

t.test('a tree of boruvkaMST is not read', async (t) => {
  knowsHostValues = false;
  const tree = boruvkaMST(tf.zeros([1, 2]), gridGraph(1, 3), { numVertices: 3 });
  treeScan(x, x, tree);
  t.same([...seen[1]], [0, 0, 1]);
});

t.test('all others are refused, unless they were read ahead', async (t) => {
  knowsHostValues = false;
  const depthFirst = { order: ids([0, 1, 2], false), parent: ids([0, 0, 0], false) };
  seen.length = 0;
  t.throws(() => treeScan(x, x, depthFirst), unknown);
  t.same(seen, [], 'no kernel ran');
  await readForChecks(depthFirst.order, depthFirst.parent);
  treeScan(x, x, depthFirst);
  t.same([...seen[0]], [0, 1, 2]);
  const wrong = { order: ids([0, 1, 2], false), parent: ids([0, 0, 2], false) };
  await readForChecks(wrong.order, wrong.parent);
  t.throws(() => treeScan(x, x, wrong), /parent\[0, 2\] is 2/);
});

t.test('a tree in another order than breadth-first becomes so', async (t) => {
  const order = ids([0, 1, 2, 3], false);
  const parent = ids([0, 0, 1, 0], false);
  await readForChecks(order, parent);
  const four = tf.ones([1, 4, 1]);
  treeScan(four, four, { order, parent });
  t.same(
    seen.map((values) => [...values]),
    [
      [0, 1, 3, 2],
      [0, 0, 0, 1],
    ],
  );
});

t.test('nodes of a graph that read values wait for them, in the executor that can', async (t) => {
  const node = (name: string, op: string, input: string[] = [], attr = {}) => ({ name, op, input, attr });
  const float = { dtype: { type: 'DT_FLOAT' } };
  const artifacts = {
    modelTopology: {
      versions: { producer: 1 },
      node: [
        node('boxes', 'Placeholder', [], float),
        node('scores', 'Placeholder', [], float),
        node('keep', 'NonMaxSuppression', ['boxes', 'scores'], { iou_threshold: { f: 0.5 } }),
        node('rois', 'BoxRois', ['boxes']),
        node('levels', 'RoiLevels', ['rois'], { levels: { i: '2' } }),
      ],
    },
    weightSpecs: [],
    weightData: new ArrayBuffer(0),
  };
  const model = await loadGraphModel(tf.io.fromMemory(artifacts as never));
  const results: unknown[] = [];
  for (const backend of ['cpu', 'toy']) {
    await tf.setBackend(backend);
    const inputs = {
      boxes: tf.tensor2d([0, 0, 9, 9, 0, 0, 9, 8, 20, 20, 200, 180], [3, 4]),
      scores: tf.tensor1d([0.1, 0.9, 0.5]),
    };
    const before = tf.memory().numTensors;
    const outputs = [await model.executeAsync(inputs, ['keep', 'levels'])].flat();
    results.push(await Promise.all(outputs.map(async (tensor) => [...(await tensor.data())])));
    tf.dispose(outputs);
    t.equal(tf.memory().numTensors, before, `${backend}: tensors`);
    const atOnce = (given: tf.NamedTensorMap) => model.execute(given, 'keep') as tf.Tensor;
    t.same([...(await atOnce(inputs).data())], [1, 2], `${backend}: at once, of values that were read`);
    const unread = { boxes: tf.add(inputs.boxes, 0), scores: tf.add(inputs.scores, 0) };
    if (backend === 'cpu') t.same([...atOnce(unread).dataSync()], [1, 2], 'at once where reads are');
    else t.throws(() => atOnce(unread), { message: /returned a promise.*executeAsync/ });
  }
  t.same(results[1], results[0]);
});
