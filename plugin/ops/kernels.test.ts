/** Tests ops on backends: ours, foreign ones without our kernels, kernels registered late, direct calls. */
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs'; // with gradients
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { readFixture } from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import {
  boruvkaMST,
  causalConvolution,
  edgeDissimilarity,
  gelu,
  gridGraph,
  linear,
  type Tree,
  treeScan,
} from '../index.js';
import type { OpDeclaration } from './declaration.js';
import { declaredOp, isDifferentiable } from './declare.js';
import { OPS } from './index.js';
import { hasOwnKernel, registerBackendKernel, runOp } from './kernels.js';
import type { ShapeLetters } from './shape_letters.js';
import { Random } from './spec/random.js';
import type { Sample } from './spec/spec.js';
import { SPECS } from './specs.js';
import { treeScanSpec } from './tree_scan.spec.js';

const { op: scan } = treeScanSpec;

/** Registers a backend with all built-in kernels and none of this package, like any other tfjs backend. */
async function startForeign(name: string): Promise<void> {
  tf.registerBackend(name, () => new MathBackendCPU());
  tf.copyRegisteredKernels('cpu', name);
  for (const op of OPS) if (tf.getKernel(op.name, name)) tf.unregisterKernel(op.name, name);
  await tf.setBackend(name);
}

async function warnings(run: () => void | Promise<void>): Promise<string[]> {
  const original = console.warn;
  const said: string[] = [];
  console.warn = (message: string) => said.push(message);
  try {
    await run();
  } finally {
    console.warn = original;
  }
  return said;
}

t.test('a converted model runs on a backend that knows nothing of us, with one warning an op', async (t) => {
  const expected = readFixture('grootv/grootv_tiny_fp16_expected.safetensors');
  await startForeign('foreign');
  const before = tf.memory().numTensors;
  const said = await warnings(async () => {
    const { model } = await loadConverted('grootv/grootv_tiny_fp16.pth');
    const { shape, values } = expected.tensor('rgb.48x80');
    const image = tf.tensor(Float32Array.from(values), shape);
    for (let i = 0; i < 2; i++) {
      const logits = model.predict(image) as tf.Tensor;
      t.ok(maxDifference(logits.dataSync(), expected.tensor('logits.48x80').values) <= 1e-3);
      logits.dispose();
    }
    image.dispose();
    model.dispose();
  });
  t.equal(tf.memory().numTensors, before);
  const warned = said.map((text) => /: (\w+) has no kernel for the backend 'foreign'/.exec(text)?.[1]);
  t.equal(warned.length, 3, warned.join(', '));
  for (const name of warned) t.notOk(declaredOp(name as string)?.compose, `${name} cannot be composed`);
});

t.test('where our kernels were not imported, the warning names the import', async (t) => {
  tf.registerBackend('webgl', () => new MathBackendCPU());
  tf.copyRegisteredKernels('cpu', 'webgl');
  tf.unregisterKernel(scan.name, 'webgl');
  await tf.setBackend('webgl');
  const x = tf.ones([1, 1, 1]);
  const tree = { order: tf.zeros([1, 1], 'int32'), parent: tf.zeros([1, 1], 'int32') };
  const said = await warnings(() => treeScan(x, x, tree as Tree).dispose());
  t.match(said, [new RegExp(`${scan.name} has no kernel .*: import 'tfjs-grootvl/webgl'\\.$`)]);
  t.equal(said.length, 1);
});

t.test('a kernel that is registered late takes the place of the fallback, without a word', async (t) => {
  await startForeign('late');
  const tree = boruvkaMST(tf.zeros([1, 1]), gridGraph(1, 2), { numVertices: 2 });
  const x = tf.ones([1, 2, 1]);
  t.notOk(hasOwnKernel(scan, 'late'));
  t.same([...treeScan(x, x, tree).dataSync()], [2, 2], 'the fallback');
  t.notOk(hasOwnKernel(scan, 'late'), 'a fallback is not a kernel of its own');
  const said = await warnings(() => {
    for (let times = 0; times < 2; times++) {
      registerBackendKernel(scan, 'late', ({ outputs: [{ shape, dtype }], backend }) => [
        { dataId: backend.write(new Float32Array([7, 7]), shape, dtype), shape, dtype },
      ]);
    }
  });
  t.same(said, []);
  t.ok(hasOwnKernel(scan, 'late'));
  t.same([...treeScan(x, x, tree).dataSync()], [7, 7], 'the kernel');
});

t.test('direct calls are checked like any other', async (t) => {
  await tf.setBackend('cpu');
  const x = tf.ones([1, 2, 1]);
  const bad = tf.tensor2d([[0, 5]], [1, 2], 'int32');
  const run = (inputs: object, attributes = {}) =>
    tf.engine().runKernel(scan.name, inputs as tf.NamedTensorMap, attributes) as tf.Tensor;
  t.throws(() => run({ x, decay: x, order: bad, parent: bad }), {
    message: /order\[0, 1\] is 5, out of range/,
  });
  t.throws(() => run({ x, decay: x, order: bad }), {
    message: /parent is missing, expected int32 parent\[B, V\]/,
  });
  const order = tf.tensor2d([[1, 0]], [1, 2], 'int32');
  const parent = tf.tensor2d([[0, 0]], [1, 2], 'int32');
  t.same([...run({ x, decay: x, order, parent }).dataSync()], [2, 2], 'attributes have defaults');
  t.throws(() => run({ x, decay: x, order, parent }, { aggregate: 'none' }), {
    message: /aggregate is "none"/,
  });
});

t.test('a gather by the order of a tree that depends on what is differentiated', async (t) => {
  await tf.setBackend('cpu');
  const edges = gridGraph(2, 3);
  const orderOf = (x: tf.Tensor) =>
    boruvkaMST(edgeDissimilarity(x, edges), edges, { numVertices: 6 }).order.flatten();
  const features = tf.randomNormal([1, 6, 2], 0, 1, 'float32', 1);
  const fixed = orderOf(features);
  const ramp = tf.range(1, 7).reshape([1, 6, 1]);
  const gradientBy = (order: (x: tf.Tensor) => tf.Tensor) =>
    tf
      .grad((x: tf.Tensor) =>
        tf
          .gather(x, order(x) as tf.Tensor1D, 1)
          .mul(ramp)
          .sum(),
      )(features)
      .dataSync();
  const expected = gradientBy(() => fixed);
  t.not(expected[0], 0);
  t.same(gradientBy(orderOf), expected);
});

t.test('gradients are differentiated again, and none is computed that nobody asks for', async (t) => {
  for (const backend of BACKENDS) {
    const { leaked } = await onBackend(backend, async () => {
      const [x, weights] = [tf.tensor2d([[0.5, -1]]), tf.tensor2d([[1], [2]])];
      const slope = (x: tf.Tensor) =>
        tf.grad((x) => linear(x, weights, undefined, { activation: 'silu' }))(x);
      const curvature = tf.tidy(() =>
        tf
          .grad((x) => tf.sum(slope(x)))(x)
          .dataSync(),
      );
      // Second derivative of silu(x1 + 2 x2) at -1.5, times (1 + 2) for the sum of the slopes and 1 or 2 for each input.
      const second = 0.1562;
      t.ok(Math.abs(curvature[0] / 3 - second) < 1e-3, `${backend}: ${curvature}`);
      t.ok(Math.abs(curvature[1] / 6 - second) < 1e-3, `${backend}: ${curvature}`);
      // Of an op with two outputs.
      const token = tf.tensor3d([[[-1.5]]]);
      const slopeOfToken = (x: tf.Tensor) =>
        tf.grad((x) => tf.sum(causalConvolution(x, tf.ones([1, 1]), tf.zeros([1])).y))(x);
      const [bend] = tf.tidy(() =>
        tf
          .grad((x) => tf.sum(slopeOfToken(x)))(token)
          .dataSync(),
      );
      t.ok(Math.abs(bend - second) < 1e-3, `${backend}: ${bend}`);
      const { kernelNames, result } = await tf.profile(() =>
        tf.grad((weights) => linear(x, weights))(weights),
      );
      const products = kernelNames.filter((name) => ['BatchMatMul', 'LinearInputGradient'].includes(name));
      t.same(products, backend === 'cpu' ? ['BatchMatMul'] : [], `${backend}: no gradient in x`);
      tf.dispose([x, weights, token, result]);
    });
    t.equal(leaked, 0, backend);
  }
});

t.test('gradients of an empty batch are zeros', async (t) => {
  const isBatch = ({ anyRank, extents }: ShapeLetters) => anyRank || /^[BN]$/.test(extents[0]?.letter ?? '');
  const withoutItems = (op: OpDeclaration, { inputs }: Sample) =>
    Object.fromEntries(
      op.parsed.inputs.flatMap(({ name, shape }) => {
        if (!inputs[name]) return [];
        const { shape: given, dtype, values } = inputs[name];
        if (!isBatch(shape)) return [[name, tf.tensor(Array.from(values), [...given], dtype as 'float32')]];
        return [[name, tf.zeros([0, ...given.slice(1)], dtype as 'float32')]];
      }),
    );
  const specs = SPECS.filter(
    ({ op, differentiable }) =>
      op.gradient && differentiable?.length !== 0 && op.parsed.outputs.every(({ shape }) => isBatch(shape)),
  );
  t.ok(specs.length > 20);
  for (const backend of BACKENDS) {
    const { leaked } = await onBackend(backend, () => {
      for (const { op, samples } of specs) {
        const sample = samples(new Random(1, op.name)).find(({ inputs }) =>
          Object.values(inputs).every(({ shape, values }) => shape.length > 0 && values.length > 0),
        );
        if (!sample) continue;
        tf.dispose(tf.fill([2 ** 16], 7)); // what sums over nothing would find in memory
        tf.tidy(() => {
          const given = withoutItems(op, sample);
          const names = Object.keys(given).filter((name) => isDifferentiable(op, name));
          const run = () => runOp(op, given, sample.attributes)[0];
          const inputs = names.map((name) => given[name]);
          const { value, grads } = tf.engine().gradients(run, inputs, tf.zeros(run().shape));
          t.equal(value.size, 0, op.name);
          for (const [i, name] of names.entries()) {
            t.same(grads[i].shape, given[name].shape, `${backend}: ${op.name}, ${name}`);
            t.ok(
              grads[i].dataSync().every((value) => value === 0),
              `${backend}: ${op.name}, ${name}`,
            );
          }
        });
      }
    });
    t.equal(leaked, 0, backend);
  }
});

t.test('a bad call leaves the engine as it was', async (t) => {
  await tf.setBackend('cpu');
  const before = tf.memory().numTensors;
  t.throws(() => gelu(undefined as unknown as tf.Tensor), { name: 'OpError', message: /x is missing/ });
  t.throws(() => runOp(scan, {}), { name: 'OpError' });
  t.equal(tf.memory().numTensors, before);
  const y = tf.tidy(() => gelu(tf.ones([2])));
  t.ok(Math.abs(y.dataSync()[0] - 0.8413447) < 1e-6);
  y.dispose();
});
