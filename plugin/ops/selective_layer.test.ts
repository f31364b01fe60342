/** SelectiveLayer against the ops that it is made of, and what it refuses. */
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { relativeDifference } from '../../testing/measure.js';
import {
  causalConvolution,
  linear,
  rootMeanSquareNormalization,
  type SelectiveLayerInputs,
  selectiveLayer,
  selectiveScan,
  selectiveSplit,
  selectiveStep,
} from '../index.js';

interface Sizes {
  readonly batch: number;
  readonly length: number;
  readonly hidden: number;
  readonly channels: number;
  readonly states: number;
  readonly taps: number;
  readonly rank: number;
  readonly seed: number;
  readonly bias: boolean;
}

const cases: fc.Arbitrary<Sizes> = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  length: fc.integer({ min: 1, max: 6 }),
  hidden: fc.integer({ min: 1, max: 19 }),
  channels: fc.integer({ min: 1, max: 21 }),
  states: fc.integer({ min: 1, max: 9 }),
  taps: fc.integer({ min: 1, max: 4 }),
  rank: fc.integer({ min: 1, max: 5 }),
  seed: fc.integer({ min: 1, max: 1000 }),
  bias: fc.boolean(),
});

function layerOf(sizes: Sizes): SelectiveLayerInputs {
  const { batch, length, hidden, channels, states, taps, rank, bias } = sizes;
  let { seed } = sizes;
  const random = (...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', seed++);
  return {
    x: random(batch, length, hidden),
    state: random(batch, channels, states),
    past: random(batch, taps - 1, channels),
    gamma: random(hidden),
    inputProjection: random(hidden, 2 * channels),
    filter: random(taps, channels),
    filterBias: random(channels),
    selection: random(channels, rank + 2 * states),
    stepProjection: random(rank, channels),
    stepBias: random(channels),
    logA: random(channels, states),
    skip: random(channels),
    outputProjection: random(channels, hidden),
    ...(bias && { inputBias: random(2 * channels), outputBias: random(hidden) }),
  };
}

/** The layer by its definition: figure 3 and algorithm 2 of the paper. */
function byParts(layer: SelectiveLayerInputs, epsilon: number, inputScale: number): tf.Tensor[] {
  const [channels, states] = layer.logA.shape;
  const normalized = rootMeanSquareNormalization(layer.x, layer.gamma, { epsilon });
  const projected = linear(normalized, layer.inputProjection, layer.inputBias);
  const [input, gate] = tf.split(projected, [channels, channels], 2);
  const { y: u, nextPast } = causalConvolution(input, layer.filter, layer.filterBias, layer.past);
  const selected = selectiveSplit(linear(u, layer.selection), { states });
  const { step, drive } = selectiveStep(linear(selected.step, layer.stepProjection), layer.stepBias, u);
  const { inputGate, outputGate } = selected;
  const inputs = { step, drive, logA: layer.logA, inputGate, outputGate };
  const { y, nextState } = selectiveScan(inputs, { state: layer.state, inputScale });
  const gated = tf.mul(tf.add(y, tf.mul(layer.skip, u)), tf.mul(gate, tf.sigmoid(gate)));
  return [tf.add(layer.x, linear(gated, layer.outputProjection, layer.outputBias)), nextState, nextPast];
}

for (const backend of BACKENDS) {
  t.test(`a layer is its parts on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, () => {
      fc.assert(
        fc.property(cases, (sizes) => {
          tf.tidy(() => {
            const layer = layerOf(sizes);
            const { y, nextState, nextPast } = selectiveLayer(layer, { epsilon: 1e-3, inputScale: 1.3 });
            const wanted = byParts(layer, 1e-3, 1.3);
            for (const [i, given] of [y, nextState, nextPast].entries()) {
              const [values, right] = [given, wanted[i]].map((tensor) => tensor.dataSync() as Float32Array);
              const difference = values.length === 0 ? 0 : relativeDifference(values, right);
              if (!(difference <= 5e-6)) throw new Error(`result ${i} differs by ${difference}`);
            }
          });
        }),
        { numRuns: 40 },
      );
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });

  t.test(`what does not fit is refused on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, () => {
      tf.tidy(() => {
        const sizes = { batch: 1, length: 1, hidden: 4, channels: 6, states: 2, taps: 3, rank: 1 };
        const layer = layerOf({ ...sizes, seed: 1, bias: true });
        const wrong = (change: Partial<SelectiveLayerInputs>, message: RegExp) =>
          t.throws(() => selectiveLayer({ ...layer, ...change }), { name: 'OpError', message });
        wrong(
          { past: tf.zeros([1, 3, 6]) },
          /SelectiveLayer: past has shape \[1, 3, 6\], expected \[B, K-1, D\] = \[1, 2, 6\]/,
        );
        wrong(
          { inputProjection: tf.zeros([4, 6]) },
          /inputProjection has shape .* expected \[H, 2D\] = \[4, 12\]/,
        );
        wrong(
          { state: tf.zeros([2, 6, 2]) },
          /state has shape \[2, 6, 2\], expected \[B, D, N\] = \[1, 6, 2\]/,
        );
        wrong(
          { selection: tf.zeros([6, 4]) },
          /selection has shape \[6, 4\], expected \[D, R\+2N\] = \[6, 5\]/,
        );
        wrong({ outputBias: tf.zeros([3]) }, /outputBias has shape \[3\], expected \[H\] = \[4\]/);
        wrong({ gamma: tf.zeros([4], 'int32') }, /gamma has dtype int32/);
        wrong({ x: tf.zeros([1, 0, 4]) }, /x\[B, L, H\] has shape \[1, 0, 4\]: L is 0, expected at least 1/);
      });
    });
    t.equal(leaked, 0);
  });
}
