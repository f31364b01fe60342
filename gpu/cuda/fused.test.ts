/** Ops that stand for several of tfjs's, against the backend `cpu`; EdgeDissimilarity bit for bit. */
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import t from 'tap';
import {
  boruvkaMST,
  causalConvolution,
  discretize,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  type Metric,
  rootMeanSquareNormalization,
  selectiveScan,
  selectiveSplit,
  selectiveStep,
  selectiveTreeScan,
  silu,
  stateReadout,
  windowGraph,
} from '../../plugin/index.js';
import { checkResources, compare, random } from './testing/compare_trees.js';
import './index.js';
import { onBoth, startCuda } from './backend/testing/cuda_backend.js';

await startCuda();

/** Between float32 with functions of a few units, and float64 rounded once. */
const CLOSE = 1e-6;
/** Sums of up to 40 products of such functions. */
const SCANNED = 4e-6;

t.test('edgeDissimilarity, bit for bit', async (t) => {
  const cases = fc.record({
    metric: fc.constantFrom<Metric>('cosine', 'euclidean', 'manhattan'),
    batch: fc.integer({ min: 0, max: 3 }),
    height: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 6 }),
    channels: fc.integer({ min: 0, max: 70 }),
    special: fc.array(
      fc.constantFrom(
        0,
        -0,
        1e-45,
        1e-30,
        1e30,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.NaN,
      ),
      { maxLength: 3 },
    ),
    scale: fc.constantFrom(1, 1e-9, 1e-22, 1e15),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ metric, batch, height, width, channels, special, scale, seed }) => {
      const shape = [batch, height * width, channels];
      const values = tf.tidy(() => random(shape, seed).dataSync()).map((value) => value * scale);
      special.forEach((value, i) => {
        if (values.length > 0) values[(i * 7919) % values.length] = value;
      });
      const { expected, found } = await onBoth(() =>
        edgeDissimilarity(tf.tensor(values, shape), gridGraph(height, width), { metric }),
      );
      const [a, b] = [expected[0].dataSync(), found[0].dataSync()];
      tf.dispose([expected, found]);
      // Object.is: signed zeros count; one NaN is like another.
      const at = a.findIndex((value, i) => !Object.is(value, b[i]));
      if (at >= 0 || a.length !== b.length) throw new Error(`${b[at]} at ${at}, expected ${a[at]}`);
    }),
    { numRuns: 100 },
  );
  await compare(t, 'D = 160', 0, () => [edgeDissimilarity(random([2, 63, 160], 1), gridGraph(7, 9))]);
});

t.test('gelu and silu', async (t) => {
  const values = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 100);
  for (const [name, op] of Object.entries({ gelu, silu })) {
    await compare(t, name, CLOSE, () => [op(tf.tensor1d(values)), op(random([3, 5, 7], 1))]);
    await compare(t, `${name}, nothing`, 0, () => [op(tf.zeros([0, 3]))]);
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 1e-40, 3e38];
    await compare(t, `${name}, special values`, CLOSE, () => [op(tf.tensor1d(special))]);
  }
  // In the lower tail a relative error, as 1 + erf would not keep it.
  const { expected, found } = await onBoth(() => gelu(tf.linspace(-8, -1, 200)));
  const [a, b] = [expected[0].dataSync(), found[0].dataSync()];
  const largest = Math.max(...a.map((value, i) => Math.abs(value / b[i] - 1)));
  t.ok(largest <= 2e-5, `gelu, lower tail: ${largest}`);
  tf.dispose([expected, found]);
});

t.test('normalisations', async (t) => {
  for (const channels of [1, 3, 31, 32, 33, 160, 700]) {
    for (const shape of [[channels], [7, channels], [2, 5, channels], [0, channels]]) {
      await compare(t, `[${shape}]`, CLOSE, () => {
        const x = tf.add(random(shape, 1), 3);
        const [gamma, beta] = [random([channels], 2), random([channels], 3)];
        return [
          layerNormalization(x, gamma, beta),
          layerNormalization(x, gamma, beta, { epsilon: 0.1 }),
          rootMeanSquareNormalization(x, gamma, { epsilon: 0.1 }),
        ];
      });
    }
    await compare(t, `stateReadout, D = ${channels}`, 4e-6, () => {
      const shape = [2, 5, channels];
      const [skip, stateGamma, stateBeta, outputGamma, outputBeta] = [1, 2, 3, 4, 5].map((seed) =>
        random([channels], seed),
      );
      const [state, x, gate] = [6, 7, 8].map((seed) => random(shape, seed));
      const outputGate = random([2, 5, 1], 9);
      const inputs = { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta };
      return [stateReadout(inputs, { epsilon: 0.01 })];
    });
  }
});

t.test('discretize, selectiveSplit, selectiveStep', async (t) => {
  for (const [batch, length, channels, states] of [
    [1, 1, 1, 1],
    [2, 5, 7, 1],
    [2, 3, 33, 16],
    [0, 4, 3, 2],
  ]) {
    await compare(t, `[${batch}, ${length}, ${channels}, ${states}]`, CLOSE, () => {
      const shape = [batch, length, channels];
      const [rawStep, x] = [tf.mul(random(shape, 1), 6), random(shape, 2)];
      const stepBias = random([channels], 3);
      const gate = random([batch, length, states], 4);
      const { decay, input } = discretize(rawStep, stepBias, random([channels, states], 5), gate, x);
      const { step, drive } = selectiveStep(rawStep, stepBias, x);
      const split = selectiveSplit(random([batch, length, channels + 2 * states], 6), { states });
      return [decay, input, step, drive, split.step, split.inputGate, split.outputGate];
    });
  }
});

t.test('causalConvolution', async (t) => {
  for (const [batch, length, channels, taps] of [
    [1, 1, 1, 1],
    [2, 5, 7, 4],
    [3, 2, 33, 4],
    [2, 9, 5, 1],
    [0, 4, 3, 2],
  ]) {
    await compare(t, `[${batch}, ${length}, ${channels}], ${taps} taps`, CLOSE, () => {
      const x = random([batch, length, channels], 1);
      const [filter, bias] = [random([taps, channels], 2), random([channels], 3)];
      const first = causalConvolution(x, filter, bias);
      const past = random([batch, taps - 1, channels], 4);
      const second = causalConvolution(x, filter, bias, past);
      return [first.y, first.nextPast, second.y, second.nextPast];
    });
  }
});

t.test('selective scans', async (t) => {
  for (const [batch, length, channels, states] of [
    [1, 1, 1, 1],
    [2, 5, 7, 3],
    [1, 40, 9, 16],
    [2, 17, 33, 20],
    [1, 6, 8, 4],
    [0, 4, 3, 2],
    [1, 4, 3, 0],
  ]) {
    const inputs = () => {
      const shape = [batch, length, channels];
      const gates = [batch, length, states];
      return {
        step: tf.abs(random(shape, 1)),
        drive: random(shape, 2),
        logA: random([channels, states], 3),
        inputGate: random(gates, 4),
        outputGate: random(gates, 5),
      };
    };
    const what = `[${batch}, ${length}, ${channels}, ${states}]`;
    await compare(t, what, SCANNED, () => {
      const state = random([batch, channels, states], 6);
      const fresh = selectiveScan(inputs());
      const continued = selectiveScan(inputs(), { state, inputScale: 0.7 });
      return [fresh.y, fresh.nextState, continued.y, continued.nextState];
    });
    await compare(t, `${what} along a tree`, SCANNED, () => {
      const edges = windowGraph(length, { promptLength: length >> 1 });
      const weights = random([batch, edges.shape[0]], 7) as tf.Tensor2D;
      const tree = boruvkaMST(weights, edges, { numVertices: length });
      const { y, nextState } = selectiveTreeScan(inputs(), tree, { treeWeight: 0.4 });
      return [y, nextState];
    });
  }
});

t.test('nothing is left behind, nothing is read back', async (t) => {
  await tf.setBackend('cuda');
  const x = tf.keep(random([2, 6, 8], 1) as tf.Tensor3D);
  const edges = tf.keep(gridGraph(2, 3));
  const gamma = tf.keep(random([8], 2));
  edgeDissimilarity(x, edges).dispose(); // the values are on the device from now on
  layerNormalization(x, gamma, gamma).dispose();
  await checkResources(t, () => {
    tf.tidy(() => {
      const tree = boruvkaMST(edgeDissimilarity(x, edges), edges, { numVertices: 6 });
      const gates = tf.slice(x, [0, 0, 0], [2, 6, 4]);
      const logA = tf.reshape(tf.slice(x, [0, 0, 0], [1, 4, 8]), [8, 4]);
      const inputs = { step: tf.abs(x), drive: x, logA, inputGate: gates, outputGate: gates };
      selectiveTreeScan(inputs, tree);
      selectiveScan(inputs);
      gelu(silu(layerNormalization(x, gamma, gamma)));
    });
  });
  tf.dispose([x, edges, gamma]);
});
