/** Kernels against those of the backend `cpu`, at every size of tail, on unusual values, and at odd addresses. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import {
  boruvkaMST,
  discretize,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  linear,
  type Metric,
  silu,
  treeScan,
} from '../plugin/index.js';
import { maxDifference, relativeDifference } from '../testing/measure.js';
import { hostOf } from './host.js';
import './index.js';
import { onCpu, tfjsModule } from '../testing/wasm_backend.js';

t.before(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
});

function random<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  return tf.randomNormal<R>(shape, 0, 1, 'float32', seed);
}

/** The values of tensors that `compute` makes, on cpu and on wasm. */
async function onBoth(
  compute: () => tf.Tensor[],
): Promise<{ wanted: Float32Array[]; given: Float32Array[] }> {
  const run = () => tf.tidy(() => compute().map((tensor) => tensor.dataSync() as Float32Array));
  return { wanted: await onCpu(run), given: run() };
}

t.test('edgeDissimilarity and the trees of it, bit for bit', async () => {
  const cases = fc.record({
    metric: fc.constantFrom<Metric>('cosine', 'euclidean', 'manhattan'),
    batch: fc.integer({ min: 0, max: 3 }),
    height: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 6 }),
    channels: fc.integer({ min: 1, max: 70 }),
    special: fc.array(fc.constantFrom(0, -0, 1e-30, 1e30, Infinity, -Infinity, Number.NaN), { maxLength: 3 }),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ metric, batch, height, width, channels, special, seed }) => {
      const numVertices = height * width;
      const values = await onCpu(
        () => tf.tidy(() => random([batch, numVertices, channels], seed).dataSync()) as Float32Array,
      );
      special.forEach((value, i) => {
        values[(i * 7919) % Math.max(1, values.length)] = value;
      });
      const { wanted, given } = await onBoth(() => {
        const edges = gridGraph(height, width);
        const features = tf.tensor3d(values, [batch, numVertices, channels]);
        const weights = edgeDissimilarity(features, edges, { metric });
        const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices });
        return [weights, edgeIndex, order, parent];
      });
      // Object.is: signed zeros count; one NaN is like another.
      for (const [i, array] of wanted.entries()) {
        const at = array.findIndex((value, j) => !Object.is(value, given[i][j]));
        if (at >= 0) throw new Error(`output ${i}: ${given[i][at]} at ${at}, expected ${array[at]}`);
      }
    }),
    { numRuns: 150 },
  );
});

t.test('every tail: D from 0 to 19', async (t) => {
  for (let channels = 0; channels < 20; channels++) {
    const { wanted, given } = await onBoth(() => {
      const [batch, vertices] = [2, 6];
      const x = random([batch, vertices, channels], channels + 1);
      const decay = tf.sigmoid(x);
      const dy = tf.mul<tf.Tensor3D>(x, 0.5);
      const edges = gridGraph(2, 3);
      const tree = boruvkaMST(random([batch, edges.shape[0]], 1), edges, { numVertices: vertices });
      const parameters = [3, 4].map((seed) => random([channels], seed));
      const scan = (aggregate: 'root' | 'all') =>
        tf.valueAndGrads((x, decay) => treeScan(x, decay, tree, { aggregate }))([x, decay], dy);
      const [root, all] = [scan('root'), scan('all')];
      return [
        root.value,
        ...root.grads,
        all.value,
        ...all.grads,
        layerNormalization(x, parameters[0], parameters[1]),
      ];
    });
    wanted.forEach((array, i) => {
      const difference = relativeDifference(given[i], array);
      t.ok(difference <= 2e-6, `D = ${channels}, output ${i}: ${difference}`);
    });
  }
});

t.test('a tree whose siblings are not side by side', async (t) => {
  const { wanted, given } = await onBoth(() => {
    // 0 has the children 1 and 3, 1 has 2, 2 has 4: a depth-first order.
    const tree = {
      order: tf.tensor2d([0, 1, 2, 4, 3], [1, 5], 'int32'),
      parent: tf.tensor2d([0, 0, 1, 2, 0], [1, 5], 'int32'),
    };
    const x = random([1, 5, 7], 1);
    return [treeScan(x, tf.sigmoid(x), tree), treeScan(x, tf.sigmoid(x), tree, { aggregate: 'root' })];
  });
  wanted.forEach((array, i) => {
    t.ok(relativeDifference(given[i], array) <= 1e-6);
  });
});

t.test('many children', async (t) => {
  const { wanted, given } = await onBoth(() => {
    const V = 40;
    const edges = tf.tensor2d(
      Array.from({ length: V - 1 }, (_, i) => [0, i + 1]),
      [V - 1, 2],
      'int32',
    );
    const tree = boruvkaMST(random([1, V - 1], 1), edges, { numVertices: V, root: 3 });
    const x = random([1, V, 9], 2);
    return [treeScan(x, tf.sigmoid(x), tree), tree.order];
  });
  t.ok(relativeDifference(given[0], wanted[0]) <= 2e-6);
  t.same(given[1], wanted[1]);
});

t.test('linear: rows, inputs and outputs around the tile', async () => {
  const sizes = fc.record({
    rows: fc.integer({ min: 0, max: 11 }),
    inputs: fc.integer({ min: 1, max: 37 }),
    outputs: fc.integer({ min: 1, max: 27 }),
    activation: fc.constantFrom('none' as const, 'gelu' as const, 'silu' as const),
    withBias: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(sizes, async ({ rows, inputs, outputs, activation, withBias }) => {
      const { wanted, given } = await onBoth(() => {
        const [x, weights] = [random([rows, inputs], 1), random([inputs, outputs], 2)];
        return [linear(x, weights, withBias ? random([outputs], 3) : undefined, { activation })];
      });
      const difference = maxDifference(given[0], wanted[0]);
      if (difference > 2e-5) throw new Error(`difference ${difference}`);
    }),
    { numRuns: 150 },
  );
});

t.test('linear: a panel block beyond the second cache, and one tensor in two shapes', async (t) => {
  const { wanted, given } = await onBoth(() => {
    const weights = random([1200, 90], 1);
    const transposed = tf.reshape(weights, [90, 1200]); // the same data
    return [linear(random([5, 1200], 2), weights), linear(random([5, 90], 3), transposed)];
  });
  wanted.forEach((array, i) => {
    t.ok(relativeDifference(given[i], array) <= 2e-6);
  });
});

t.test('linear: few, some and many rows give the same bits', async (t) => {
  for (const [inputs, columns] of [
    [7, 5000],
    [70, 93],
    [1030, 43],
  ]) {
    for (const activation of ['none', 'silu'] as const) {
      tf.tidy(() => {
        const x = random<tf.Rank.R2>([261, inputs], 1);
        const [weights, bias] = [random([inputs, columns], 2), random([columns], 3)];
        const options = { activation, firstOutput: 1, endOutput: columns - 2 };
        const many = linear(x, weights, bias, options); // packed for this call
        for (const [first, rows] of [
          [0, 1],
          [3, 3], // read where they are
          [6, 4],
          [10, 251], // packed once
        ]) {
          const part = linear(tf.slice(x, [first, 0], [rows, -1]), weights, bias, options);
          t.same(
            part.dataSync(),
            tf.slice(many, [first, 0], [rows, -1]).dataSync(),
            `${inputs} x ${columns}`,
          );
        }
      });
    }
  }
});

t.test('linear: tfjs multiplies when it has several threads', async (t) => {
  const { tfjs } = tfjsModule();
  const { getThreadsCount } = tfjs;
  tfjs.getThreadsCount = () => 4;
  const tensors = tf.memory().numTensors;
  const { wanted, given } = await onBoth(() => {
    const [x, weights, bias] = [random([2, 3, 5], 1), random([5, 7], 2), random([7], 3)];
    return [
      linear(x, weights, bias, { activation: 'gelu' }),
      linear(x, weights, bias, { activation: 'silu', firstOutput: 2, endOutput: 6 }),
      linear(x, weights, undefined, { endOutput: 4 }),
      linear(x, weights),
    ];
  });
  tfjs.getThreadsCount = getThreadsCount;
  wanted.forEach((array, i) => {
    t.ok(maxDifference(given[i], array) <= 5e-6, `${i}: ${maxDifference(given[i], array)}`);
  });
  t.equal(tf.memory().numTensors, tensors);
});

t.test('functions: close everywhere, and right at the ends', async (t) => {
  const grid = Float32Array.from({ length: 40001 }, (_, i) => (i - 20000) / 200);
  const ends = Float32Array.of(Number.NaN, Infinity, -1e30, 1e30, 0, 1e-30, -1e-30);
  const { wanted, given } = await onBoth(() => [gelu(tf.tensor1d(grid)), silu(tf.tensor1d(grid))]);
  t.ok(maxDifference(given[0], wanted[0]) <= 2.4e-6, `gelu: ${maxDifference(given[0], wanted[0])}`);
  t.ok(relativeDifference(given[1], wanted[1]) <= 3e-7, `silu: ${relativeDifference(given[1], wanted[1])}`);
  const atEnds = tf.tidy(() =>
    [gelu(tf.tensor1d(ends)), silu(tf.tensor1d(ends))].map((y) => [...y.dataSync()]),
  );
  for (const y of atEnds) {
    t.ok(Number.isNaN(y[0]));
    t.equal(y[1], Infinity);
    t.ok(Math.abs(y[2]) < 1e-6);
    t.equal(y[3], ends[3]);
    t.equal(y[4], 0);
    t.ok(Math.abs(y[5] - ends[5] / 2) < 1e-36);
    t.ok(Math.abs(y[6] - ends[6] / 2) < 1e-36);
  }
});

t.test('discretize over the whole range of steps, one state and several', async (t) => {
  for (const states of [1, 2, 5, 16]) {
    const { wanted, given } = await onBoth(() => {
      const [V, D] = [41, 5];
      const rawStep = tf.reshape(tf.linspace(-100, 100, V * D), [1, V, D]);
      const [bias, logA] = [random([D], 1), random([D, states], 2)];
      const { decay, input } = discretize(
        rawStep,
        bias,
        logA,
        random([1, V, states], 3),
        random([1, V, D], 4),
      );
      return [decay, input];
    });
    t.ok(maxDifference(given[0], wanted[0]) <= 1e-6, `decay, N = ${states}`);
    t.ok(relativeDifference(given[1], wanted[1]) <= 1e-6, `input, N = ${states}`);
  }
});

t.test('NaN and infinities go where they should', async (t) => {
  const { wanted, given } = await onBoth(() => {
    const edges = gridGraph(1, 3);
    const tree = boruvkaMST(tf.tensor2d([0, 1], [1, 2]), edges, { numVertices: 3 });
    const x = tf.tensor3d([1, Number.NaN, 2, 3, Infinity, 4], [1, 3, 2]);
    return [treeScan(x, tf.fill([1, 3, 2], 0.5), tree, { aggregate: 'root' })];
  });
  t.same(given, wanted);
});

t.test('addresses that are multiples of four bytes only', async (t) => {
  const module = tfjsModule();
  const block = module._malloc(4 * 64) >>> 0;
  const values = Float32Array.from({ length: 23 }, (_, i) => Math.sin(i));
  const [x, y] = [block + 4, block + 4 * 31 + 4];
  new Float32Array(module.HEAPU8.buffer, x, 23).set(values);
  const { exports } = hostOf(tf.backend());
  (exports.silu_all as (x: number, y: number, size: number) => void)(x, y, 23);
  const result = Float32Array.from(new Float32Array(module.HEAPU8.buffer, y, 23));
  t.ok(
    relativeDifference(
      result,
      values.map((v) => v / (1 + Math.exp(-v))),
    ) <= 1e-6,
  );
  module._free(block);
});
