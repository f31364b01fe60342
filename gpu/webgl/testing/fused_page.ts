/** The fused ops in a page, against the same ops on tfjs's cpu backend. */
import * as tf from '@tensorflow/tfjs-core';
import {
  boruvkaMST,
  discretize,
  gelu,
  layerNormalization,
  linear,
  silu,
  stateReadout,
  windowGraph,
} from '../../../plugin/index.js';
import { causalConvolution } from '../../../plugin/ops/causal_convolution.js';
import { rootMeanSquareNormalization } from '../../../plugin/ops/root_mean_square_normalization.js';
import { selectiveScan } from '../../../plugin/ops/selective_scan.js';
import { selectiveStep } from '../../../plugin/ops/selective_step.js';
import { selectiveTreeScan } from '../../../plugin/ops/selective_tree_scan.js';
import { relativeDifference } from '../../../testing/measure.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { type PageTest, pageTest } from './page_test.js';

type Run = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** Runs on cpu and webgl and compares every output, and the gradients of their sum. */
async function compare(
  t: PageTest,
  what: string,
  bound: number,
  shapes: number[][],
  run: Run,
): Promise<void> {
  const inputs = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i + 1).arraySync());
  const results = new Map<string, tf.TypedArray[]>();
  for (const backend of ['cpu', 'webgl']) {
    await tf.setBackend(backend);
    const tensors = inputs.map((values, i) => tf.tensor(values as tf.TensorLike, shapes[i]));
    const outputs = [run(...tensors)].flat();
    const total = (...xs: tf.Tensor[]) =>
      tf.addN([run(...xs)].flat().map((y) => tf.sum(tf.mul(y, tf.sigmoid(y)))));
    const gradients = tf.grads(total)(tensors);
    results.set(
      backend,
      [...outputs, ...gradients].map((tensor) => tensor.dataSync()),
    );
    tf.dispose([tensors, outputs, gradients]);
  }
  const [wanted, given] = [results.get('cpu') ?? [], results.get('webgl') ?? []];
  given.forEach((values, i) => {
    const isGradient = i >= given.length - shapes.length;
    t.atMost(
      relativeDifference(values, wanted[i]),
      isGradient ? 4 * bound : bound,
      `${what} ${isGradient ? 'gradient ' : ''}${i}`,
    );
  });
}

pageTest('activations', async (t) => {
  for (const shape of [[7], [3, 5], [2, 3, 4], [2, 3, 5, 7], [1, 1], [2, 2, 2, 3, 3]]) {
    await compare(t, `gelu ${shape}`, 1e-5, [shape], (x) => gelu(tf.mul(x, 4)));
    await compare(t, `silu ${shape}`, 1e-5, [shape], (x) => silu(tf.mul(x, 4)));
  }
  const extremes = [-100, -20, -8, -5, -3, -1, -1e-6, 0, 1e-6, 1, 3, 8, 100];
  await tf.setBackend('webgl');
  const given = gelu(tf.tensor1d(extremes)).dataSync();
  t.ok(given.every(Number.isFinite) && given[0] === 0 && given[12] === 100, `gelu of extremes: ${given}`);
});

pageTest('linear layers', async (t) => {
  for (const [leading, inputs, outputs, first, end] of [
    [[3], 4, 6, 0, -1],
    [[], 5, 3, 0, -1],
    [[2, 3], 7, 5, 1, 4],
    [[2, 3, 5], 6, 8, 4, 8],
    [[1, 1, 1], 1, 1, 0, 1],
    [[2, 7, 7], 33, 9, 3, 9],
  ] as [number[], number, number, number, number][]) {
    for (const activation of ['none', 'gelu', 'silu'] as const) {
      const shapes = [[...leading, inputs], [inputs, outputs], [outputs]];
      const what = `${shapes[0]} to ${first}..${end} of ${outputs} ${activation}`;
      const options = { activation, firstOutput: first, endOutput: end < 0 ? undefined : end };
      await compare(t, what, 1e-5, shapes, (x, weights, bias) => linear(x, weights, bias, options));
      await compare(t, `${what}, no bias`, 1e-5, shapes.slice(0, 2), (x, weights) =>
        linear(x, weights, undefined, options),
      );
    }
  }
});

pageTest('layer normalisation', async (t) => {
  for (const shape of [[3, 8], [2, 3, 7], [2, 3, 5, 16], [1, 1, 33], [2, 7, 160], [5]]) {
    const channels = [shape[shape.length - 1]];
    await compare(t, `${shape}`, 4e-5, [shape, channels, channels], (x, gamma, beta) =>
      layerNormalization(x, gamma, beta),
    );
  }
});

pageTest('discretisation', async (t) => {
  for (const [batch, vertices, channels, states] of [
    [1, 4, 6, 1],
    [2, 3, 5, 1],
    [2, 5, 3, 4],
    [1, 1, 1, 1],
    [2, 7, 5, 3],
  ]) {
    const grid = [batch, vertices];
    const shapes = [
      [...grid, channels],
      [channels],
      [channels, states],
      [...grid, states],
      [...grid, channels],
    ];
    await compare(t, `${shapes[0]} N ${states}`, 2e-5, shapes, (rawStep, stepBias, logA, inputGate, x) => {
      const { decay, input } = discretize(tf.mul(rawStep, 5), stepBias, logA, inputGate, x);
      return [decay, input];
    });
  }
});

pageTest('state readout', async (t) => {
  for (const shape of [
    [1, 4, 8],
    [2, 5, 7],
    [2, 3, 160],
  ]) {
    const [batch, vertices, channels] = shape;
    const each = [channels];
    const shapes = [shape, [batch, vertices, 1], shape, each, shape, each, each, each, each];
    await compare(t, `${shape}`, 4e-5, shapes, (...tensors) => {
      const [state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta] = tensors;
      return stateReadout({
        state,
        outputGate,
        x,
        skip,
        gate,
        stateGamma,
        stateBeta,
        outputGamma,
        outputBeta,
      });
    });
  }
});

pageTest('root mean square normalisation', async (t) => {
  for (const shape of [[3, 8], [2, 3, 7], [2, 3, 5, 16], [1, 1, 33], [5]]) {
    const channels = [shape[shape.length - 1]];
    await compare(t, `${shape}`, 4e-5, [shape, channels], (x, gamma) =>
      rootMeanSquareNormalization(x, gamma),
    );
  }
});

pageTest('selective steps', async (t) => {
  for (const shape of [
    [1, 1, 1],
    [2, 5, 7],
    [1, 4, 16],
  ]) {
    const channels = [shape[2]];
    await compare(t, `${shape}`, 2e-5, [shape, channels, shape], (rawStep, stepBias, x) => {
      const { step, drive } = selectiveStep(tf.mul(rawStep, 4), stepBias, x);
      return [step, drive];
    });
  }
});

pageTest('causal convolutions', async (t) => {
  for (const [batch, length, channels, taps] of [
    [1, 1, 1, 1],
    [2, 5, 7, 4],
    [1, 2, 4, 4],
    [2, 6, 3, 3],
  ]) {
    const [shape, each] = [[batch, length, channels], [channels]];
    const what = `${shape} K ${taps}`;
    await compare(t, what, 2e-5, [shape, [taps, channels], each], (x, filter, bias) => [
      causalConvolution(x, filter, bias).y,
    ]);
    const shapes = [shape, [taps, channels], each, [batch, taps - 1, channels]];
    const results: tf.TypedArray[][] = [];
    for (const backend of ['cpu', 'webgl']) {
      await tf.setBackend(backend);
      const [x, filter, bias, past] = shapes.map((shape, i) =>
        tf.randomNormal(shape, 0, 1, 'float32', i + 1),
      );
      const { y, nextPast } = causalConvolution(x, filter, bias, past);
      const { nextPast: withoutPast } = causalConvolution(x, filter, bias);
      results.push([y, nextPast, withoutPast].map((tensor) => tensor.dataSync()));
    }
    for (const [i, values] of results[1].entries()) {
      t.atMost(relativeDifference(values, results[0][i]), 2e-5, `${what} past ${i}`);
    }
  }
});

pageTest('selective scans', async (t) => {
  for (const [batch, length, channels, states] of [
    [1, 1, 1, 1],
    [2, 1, 3, 4],
    [1, 7, 4, 2],
    [2, 9, 5, 3],
    [1, 33, 6, 16],
  ]) {
    const tokens = [batch, length];
    const shapes = [
      [...tokens, channels],
      [...tokens, channels],
      [channels, states],
      [...tokens, states],
      [...tokens, states],
    ];
    const inputsOf = ([rawStep, drive, logA, inputGate, outputGate]: tf.Tensor[]) => ({
      step: tf.softplus(rawStep),
      drive,
      logA,
      inputGate,
      outputGate,
    });
    const both = ({ y, nextState }: { y: tf.Tensor; nextState: tf.Tensor }) => [y, nextState];
    await compare(t, `chain ${shapes[0]} N ${states}`, 2e-5, shapes, (...tensors) =>
      both(selectiveScan(inputsOf(tensors), { inputScale: 1.3 })),
    );
    await compare(t, `tree ${shapes[0]} N ${states}`, 2e-5, shapes, (...tensors) => {
      const edges = windowGraph(length);
      const weights = tf.randomUniform([batch, edges.shape[0]], 0, 1, 'float32', 9);
      return both(selectiveTreeScan(inputsOf(tensors), boruvkaMST(weights, edges, { numVertices: length })));
    });
    const state = tf.randomNormal([batch, channels, states], 0, 1, 'float32', 7).arraySync();
    const values = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i).arraySync());
    const results: tf.TypedArray[][] = [];
    for (const backend of ['cpu', 'webgl']) {
      await tf.setBackend(backend);
      const inputs = inputsOf(values.map((value, i) => tf.tensor(value as tf.TensorLike, shapes[i])));
      const given = tf.tensor(state as tf.TensorLike, [batch, channels, states]);
      results.push(both(selectiveScan(inputs, { state: given })).map((tensor) => tensor.dataSync()));
    }
    for (const i of [0, 1])
      t.atMost(relativeDifference(results[1][i], results[0][i]), 2e-5, `with a state, ${i}`);
  }
});

pageTest('selective scans in groups of states', async (t) => {
  const shape = [1, 1024, 1030];
  const results: tf.TypedArray[][] = [];
  for (const backend of ['cpu', 'webgl']) {
    await tf.setBackend(backend);
    results.push(
      tf.tidy(() => {
        const random = (shape: number[], seed: number) => tf.randomUniform(shape, 0, 1, 'float32', seed);
        const [step, drive, logA] = [random(shape, 1), random(shape, 2), random([1030, 17], 3)];
        const [inputGate, outputGate] = [random([1, 1024, 17], 4), random([1, 1024, 17], 5)];
        const { y, nextState } = selectiveScan({ step, drive, logA, inputGate, outputGate });
        return [y.dataSync(), nextState.dataSync()];
      }),
    );
  }
  for (const i of [0, 1]) t.atMost(relativeDifference(results[1][i], results[0][i]), 2e-5, `output ${i}`);
});

pageTest('draws of the fused ops', async (t) => {
  await tf.setBackend('webgl');
  const x = tf.add(tf.randomNormal([1, 196, 64]), 1); // packed on the GPU
  const channels = tf.ones([64]);
  const runs: [string, number, () => tf.Tensor | tf.Tensor[]][] = [
    ['gelu', 1, () => gelu(x)],
    ['silu', 1, () => silu(x)],
    ['layer normalisation', 2, () => layerNormalization(x, channels, channels)],
    [
      'discretisation',
      2,
      () => {
        const { decay, input } = discretize(x, channels, one, gate, x);
        return [decay, input];
      },
    ],
    [
      'state readout',
      4,
      () =>
        stateReadout({
          state: x,
          outputGate: gate,
          x,
          skip: channels,
          gate: x,
          stateGamma: channels,
          stateBeta: channels,
          outputGamma: channels,
          outputBeta: channels,
        }),
    ],
  ];
  const one = tf.ones([64, 1]);
  const gate = tf.add(tf.ones([1, 196, 1]), 0);
  for (const [what, bound, run] of runs) {
    tf.dispose(run());
    const { result, counts } = await countGpuWork(run);
    t.equal(counts.draws, bound, `draws of ${what}`);
    tf.dispose(result);
  }
});
