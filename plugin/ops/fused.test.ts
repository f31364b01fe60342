/** The fused helper ops: each against its definition in float64, and its gradient against that of the stock ops. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { maxDifference, relativeDifference } from '../../testing/measure.js';
import { normalDistribution } from '../cpu/normal_distribution.js';
import {
  Discretize,
  discretize,
  FlattenGrid,
  Gelu,
  GridGraph,
  gelu,
  gridGraph,
  LayerNormalization,
  Linear,
  layerNormalization,
  linear,
  SelectiveSplit,
  Silu,
  StateReadout,
  selectiveSplit,
  silu,
  stateReadout,
  UnflattenGrid,
} from '../index.js';
import type { Attributes, OpDeclaration, Tensors } from './declaration.js';
import { runOp } from './kernels.js';

/** Float32 rounding of a few operations, relative to the largest value. */
const ROUNDING = 1e-6;
/** tfjs's own erf kernel is good to 1.5e-7 absolute. */
const STOCK_ERF = 1e-6;

function random(shape: number[], seed: number): tf.Tensor {
  return tf.randomNormal(shape, 0, 1, 'float32', seed);
}

t.test('the normal distribution, against published values', async (t) => {
  for (const [x, wanted] of [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1, 0.15865525393145707],
    [2.5, 0.9937903346742238],
    [-3, 0.0013498980316300933],
    [-5, 2.8665157187919333e-7],
    [-10, 7.619853024160527e-24],
    [6, 0.9999999990134123],
    [Infinity, 1],
    [-Infinity, 0],
  ]) {
    t.ok(
      Math.abs(normalDistribution(x) - wanted) <= 1e-13 * wanted,
      `P(X <= ${x}) = ${normalDistribution(x)}`,
    );
  }
  t.ok(Number.isNaN(normalDistribution(Number.NaN)));
  const jump = normalDistribution(3 + 1e-12) - normalDistribution(3 - 1e-12);
  t.ok(Math.abs(jump) < 1e-13, `series and continued fraction meet: ${jump}`);
});

for (const backend of BACKENDS) {
  t.test(`fused ops on ${backend}`, async (t) => {
    await t.test('layerNormalization', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const [x, gamma, beta] = [random([2, 3, 5, 7], 1), random([7], 2), random([7], 3)];
          const rows = tf.reshape(x, [-1, 7]).arraySync() as number[][];
          const [g, b] = [gamma.dataSync(), beta.dataSync()];
          const wanted = rows.flatMap((row) => {
            const mean = row.reduce((a, b) => a + b) / 7;
            const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / 7;
            return row.map((value, c) => ((value - mean) / Math.sqrt(variance + 1e-3)) * g[c] + b[c]);
          });
          const y = layerNormalization(x, gamma, beta, { epsilon: 1e-3 });
          t.same(y.shape, x.shape);
          t.ok(relativeDifference(y.dataSync(), wanted) <= ROUNDING);
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('gelu and silu', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const values = [...Array(161).keys()].map((i) => (i - 80) / 8);
          const x = tf.tensor2d(values, [7, 23]);
          const y = gelu(x);
          t.same(y.shape, [7, 23]);
          t.ok(
            maxDifference(
              y.dataSync(),
              values.map((v) => v * normalDistribution(v)),
            ) <=
              STOCK_ERF * 4,
          );
          t.ok(
            relativeDifference(
              silu(x).dataSync(),
              values.map((v) => v / (1 + Math.exp(-v))),
            ) <= ROUNDING,
          );
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('discretize, with several states a channel', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const [B, V, D, N] = [2, 5, 3, 4];
          const rawStep = tf.mul(random([B, V, D], 1), 6);
          const [bias, logA] = [random([D], 2), random([D, N], 3)];
          const [gate, x] = [random([B, V, N], 4), random([B, V, D], 5)];
          const { decay, input } = discretize(rawStep, bias, logA, gate, x);
          t.same(decay.shape, [B, V, D * N]);
          const [dt, b, a, g, u] = [rawStep, bias, logA, gate, x].map((tensor) => tensor.dataSync());
          const wanted = { decay: [] as number[], input: [] as number[] };
          for (let row = 0; row < B * V; row++) {
            for (let d = 0; d < D; d++) {
              const step = Math.log1p(Math.exp(dt[row * D + d] + b[d]));
              for (let n = 0; n < N; n++) {
                wanted.decay.push(Math.exp(-Math.exp(a[d * N + n]) * step));
                wanted.input.push(step * g[row * N + n] * u[row * D + d]);
              }
            }
          }
          t.ok(maxDifference(decay.dataSync(), wanted.decay) <= ROUNDING);
          t.ok(relativeDifference(input.dataSync(), wanted.input) <= ROUNDING);
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('discretize where softplus would overflow or vanish', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const one = tf.ones([1, 2, 1]);
          const rawStep = tf.tensor3d([200, -200], [1, 2, 1]);
          const { decay, input } = discretize(rawStep, tf.zeros([1]), tf.zeros([1, 1]), one, one);
          t.same([...decay.dataSync()], [0, 1]);
          t.ok(Math.abs(input.dataSync()[0] - 200) < 1e-3);
          t.equal(input.dataSync()[1], 0);
        }),
      );
    });

    await t.test('linear, with and without bias and activation', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const [x, weights, bias] = [random([2, 3, 4, 5], 1), random([5, 6], 2), random([6], 3)];
          const plain = tf.reshape(
            tf.matMul(tf.reshape(x, [24, 5]) as tf.Tensor2D, weights as tf.Tensor2D),
            [2, 3, 4, 6],
          );
          const close = (y: tf.Tensor, wanted: tf.Tensor) => {
            t.same(y.shape, wanted.shape);
            t.ok(maxDifference(y.dataSync(), wanted.dataSync()) <= 1e-5);
          };
          close(linear(x, weights), plain);
          close(linear(x, weights, bias), tf.add(plain, bias));
          close(
            linear(x, weights, bias, { firstOutput: 1, endOutput: 4 }),
            tf.slice(tf.add(plain, bias), [0, 0, 0, 1], [2, 3, 4, 3]),
          );
          close(linear(x, weights, bias, { activation: 'gelu' }), gelu(tf.add(plain, bias)));
          close(linear(x, weights, undefined, { activation: 'silu' }), silu(plain));
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('selectiveSplit and stateReadout', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const selected = random([2, 3, 9], 1);
          const { step, inputGate, outputGate } = selectiveSplit(selected, { states: 2 });
          const wanted = tf.split(selected, [5, 2, 2], 2);
          [step, inputGate, outputGate].forEach((part, i) => {
            t.same(part.arraySync(), wanted[i].arraySync());
          });
          const [state, x, gate] = [2, 3, 4].map((seed) => random([2, 3, 7], seed));
          const [skip, ...norms] = [5, 6, 7, 8, 9].map((seed) => random([7], seed));
          const [stateGamma, stateBeta, outputGamma, outputBeta] = norms;
          const c = random([2, 3, 1], 10);
          const read = tf.add(
            tf.mul(layerNormalization(state, stateGamma, stateBeta, { epsilon: 1e-5 }), c),
            tf.mul(x, skip),
          );
          const apart = tf.mul(layerNormalization(read, outputGamma, outputBeta, { epsilon: 1e-5 }), gate);
          const inputs = {
            state,
            outputGate: c,
            x,
            skip,
            gate,
            stateGamma,
            stateBeta,
            outputGamma,
            outputBeta,
          };
          const y = stateReadout(inputs);
          t.same(y.shape, [2, 3, 7]);
          t.ok(relativeDifference(y.dataSync(), apart.dataSync()) <= 2 * ROUNDING);
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('between images and graphs', async (t) => {
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          const x = random([2, 3, 4, 5], 1);
          const [flat] = runOp(FlattenGrid, { x });
          t.same(flat.shape, [2, 12, 5]);
          t.same(runOp(UnflattenGrid, { x: flat, like: x })[0].arraySync(), x.arraySync());
          t.same(runOp(GridGraph, { x })[0].arraySync(), gridGraph(3, 4).arraySync());
        }),
      );
      t.equal(leaked, 0);
    });

    await t.test('gradients of the kernels are those of the stock ops', async (t) => {
      const cases: { op: OpDeclaration; inputs: Tensors; attributes?: Attributes }[] = [
        {
          op: LayerNormalization,
          inputs: { x: random([2, 3, 7], 1), gamma: random([7], 2), beta: random([7], 3) },
          attributes: { epsilon: 1e-3 },
        },
        { op: SelectiveSplit, inputs: { selected: random([2, 3, 9], 16) }, attributes: { states: 2 } },
        {
          op: StateReadout,
          inputs: {
            state: random([2, 3, 5], 17),
            outputGate: random([2, 3, 1], 18),
            x: random([2, 3, 5], 19),
            skip: random([5], 20),
            gate: random([2, 3, 5], 21),
            stateGamma: random([5], 22),
            stateBeta: random([5], 23),
            outputGamma: random([5], 24),
            outputBeta: random([5], 25),
          },
          attributes: { epsilon: 1e-3 },
        },
        { op: Gelu, inputs: { x: random([3, 5], 4) } },
        { op: Silu, inputs: { x: random([3, 5], 5) } },
        {
          op: Discretize,
          inputs: {
            rawStep: random([2, 3, 4], 6),
            stepBias: random([4], 7),
            logA: random([4, 2], 8),
            inputGate: random([2, 3, 2], 9),
            x: random([2, 3, 4], 10),
          },
        },
        {
          op: Linear,
          inputs: { x: random([2, 3, 5], 11), weights: random([5, 3], 12) },
          attributes: { activation: 'none', firstOutput: 0, endOutput: -1 },
        },
        {
          op: Linear,
          inputs: { x: random([2, 3, 5], 11), weights: random([5, 7], 12), bias: random([7], 15) },
          attributes: { activation: 'silu', firstOutput: 2, endOutput: 6 },
        },
        ...['none', 'gelu', 'silu'].map((activation) => ({
          op: Linear,
          inputs: { x: random([7, 5], 13), weights: random([5, 9], 14), bias: random([9], 15) },
          attributes: { activation, firstOutput: 0, endOutput: -1 },
        })),
      ];
      const { leaked } = await onBackend(backend, () =>
        tf.tidy(() => {
          for (const { op, inputs, attributes = {} } of cases) {
            const names = Object.keys(inputs);
            // A weighted sum of all outputs, so that every output takes part.
            const gradients = (run: (inputs: Tensors) => tf.Tensor[]) =>
              tf.grads((...tensors: tf.Tensor[]) => {
                const outputs = run(Object.fromEntries(names.map((name, i) => [name, tensors[i]])));
                return tf.addN(outputs.map((y, i) => tf.sum(tf.mul(y, tf.mul(y, 0.5 + i)))));
              })(Object.values(inputs));
            const kernel = gradients((inputs) => runOp(op, inputs, attributes));
            const stock = gradients((inputs) => [op.compose?.(inputs, attributes) ?? []].flat());
            names.forEach((name, i) => {
              t.same(kernel[i].shape, stock[i].shape);
              const difference = relativeDifference(kernel[i].dataSync(), stock[i].dataSync());
              t.ok(difference <= 5e-6, `${op.name} d${name}: ${difference}`);
            });
          }
        }),
      );
      t.equal(leaked, 0);
      for (const { inputs } of cases) tf.dispose(Object.values(inputs));
    });
  });
}

t.test('errors say what was given and what is expected', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const x = tf.zeros([2, 3, 4]);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => layerNormalization(x, tf.zeros([3]), tf.zeros([4])),
        /LayerNormalization: gamma has shape \[3\], expected \[C\] = \[4\]/,
      );
      fails(
        () => layerNormalization(tf.scalar(1), tf.zeros([1]), tf.zeros([1])),
        /x has shape \[\], expected float32 x\[\.\.\., C\]/,
      );
      fails(() => gelu(tf.zeros([2], 'int32')), /Gelu: x has dtype int32, expected float32/);
      fails(
        () => linear(x, tf.zeros([3, 5])),
        /Linear: weights has shape \[3, 5\], expected \[I, O\] = \[4, 5\]/,
      );
      fails(() => linear(x, tf.zeros([4, 5]), tf.zeros([4])), /bias has shape \[4\], expected \[O\] = \[5\]/);
      fails(
        () => linear(x, tf.zeros([4, 5]), undefined, { activation: 'relu' as 'gelu' }),
        /activation is "relu", expected one of none, gelu, silu/,
      );
      fails(
        () => linear(x, tf.zeros([4, 5]), undefined, { firstOutput: 2, endOutput: 6 }),
        /Linear: endOutput is 6, expected an integer from -1 to 5/,
      );
      fails(
        () => discretize(x, tf.zeros([4]), tf.zeros([4, 1]), tf.zeros([2, 3, 2]), x),
        /Discretize: inputGate has shape \[2, 3, 2\], expected \[B, V, N\] = \[2, 3, 1\]/,
      );
      fails(
        () => selectiveSplit(x, { states: 2 }),
        /SelectiveSplit: selected\[B, V, P\] has shape \[2, 3, 4\]: R = P-2N is 0, expected at least 1/,
      );
      fails(() => selectiveSplit(x, { states: 0.5 }), /states is 0.5, expected an integer of at least 1/);
      const four = tf.zeros([4]);
      const readout = { state: x, x, gate: x, skip: four, stateGamma: four, stateBeta: four };
      fails(
        () => stateReadout({ ...readout, outputGate: x, outputGamma: four, outputBeta: four }),
        /StateReadout: outputGate has shape \[2, 3, 4\], expected \[B, V, 1\] = \[2, 3, 1\]/,
      );
      fails(
        () => runOp(UnflattenGrid, { x, like: tf.zeros([2, 2, 2, 1]) }),
        /UnflattenGrid: x has shape \[2, 3, 4\], expected \[N, H\*W, C\] = \[2, 4, 4\]/,
      );
    }),
  );
  t.equal(leaked, 0);
});
