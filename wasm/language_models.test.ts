/**
 * Tests the kernels of language models against those of the backend `cpu`, with every size of remainder, and whole models.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import t from 'tap';
import {
  boruvkaMST,
  causalConvolution,
  edgeDissimilarity,
  GrootL,
  rootMeanSquareNormalization,
  selectiveScan,
  selectiveStep,
  selectiveTreeScan,
  windowGraph,
} from '../plugin/index.js';
import { fixturePath } from '../testing/fixtures.js';
import { convertedFolder, sinkFiles } from '../testing/language_models.js';
import { relativeDifference } from '../testing/measure.js';
import { onCpu } from '../testing/wasm_backend.js';
import './index.js';

t.before(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
});

const sizes = {
  batch: fc.integer({ min: 1, max: 2 }),
  length: fc.integer({ min: 1, max: 19 }),
  channels: fc.integer({ min: 1, max: 21 }),
  states: fc.integer({ min: 1, max: 9 }),
  seed: fc.integer({ min: 1, max: 1000 }),
};

const random = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);

/** Runs `compute` on both backends; every result may differ by `bound` times its largest value. */
async function compare(compute: () => tf.Tensor[], bound: number): Promise<void> {
  const run = () => tf.tidy(() => compute().map((tensor) => tensor.dataSync() as Float32Array));
  const wanted = await onCpu(run);
  for (const [i, values] of run().entries()) {
    const difference = relativeDifference(values, wanted[i]);
    if (!(difference <= bound)) throw new Error(`result ${i} differs by ${difference}`);
  }
}

t.test('selectiveScan and selectiveTreeScan', async () => {
  await fc.assert(
    fc.asyncProperty(fc.record(sizes), async ({ batch, length, channels, states, seed }) => {
      await compare(() => {
        const inputs = {
          step: tf.softplus(random([batch, length, channels], seed)),
          deltaU: random([batch, length, channels], seed + 1),
          logA: random([channels, states], seed + 2),
          inputGate: random([batch, length, states], seed + 3),
          outputGate: random([batch, length, states], seed + 4),
        };
        const edges = windowGraph(length);
        const weights = edgeDissimilarity(random([batch, length, 3], seed + 5), edges);
        const tree = boruvkaMST(weights, edges, { numVertices: length });
        const state = random([batch, channels, states], seed + 6);
        return [
          ...Object.values(selectiveScan(inputs)),
          ...Object.values(selectiveScan(inputs, { state, inputScale: 1.3 })),
          ...Object.values(selectiveTreeScan(inputs, tree)),
        ];
      }, 5e-6);
    }),
    { numRuns: 60 },
  );
});

t.test('causalConvolution, selectiveStep, rootMeanSquareNormalization', async () => {
  await fc.assert(
    fc.asyncProperty(fc.record(sizes), async ({ batch, length, channels, states: kernelSize, seed }) => {
      await compare(() => {
        const x = random([batch, length, channels], seed);
        const filter = random([kernelSize, channels], seed + 1);
        const bias = random([channels], seed + 2);
        const past = random([batch, kernelSize - 1, channels], seed + 3);
        return [
          ...Object.values(causalConvolution(x, filter, bias)),
          ...Object.values(causalConvolution(x, filter, bias, past)),
          ...Object.values(selectiveStep(x, bias, tf.neg(x))),
          rootMeanSquareNormalization(x, bias),
        ];
      }, 2e-6);
    }),
    { numRuns: 60 },
  );
});

t.test('the tiny model: greedy texts, scores, nothing left behind', async (t) => {
  const folder = 'grootl/grootl_tiny';
  const expected = JSON.parse(readFileSync(fixturePath(`${folder}/expected.json`) as string, 'utf8'));
  const before = tf.memory().numTensors;
  for (const scan of ['tree', 'chain'] as const) {
    const model = await GrootL.load(sinkFiles(await convertedFolder(folder, { scan })));
    for (const greedy of expected.greedy) {
      const { tokens } = await model.generate(greedy.prompt);
      t.same(tokens, greedy[`${scan}_ids`], `${scan}: ${JSON.stringify(greedy.prompt)}`);
    }
    const scores = await model.scoreAll(expected.loglikelihood);
    for (const [i, wanted] of expected.loglikelihood.entries()) {
      const difference = Math.abs(scores[i].logprob - wanted[`${scan}_sum_logprob`]);
      t.ok(difference <= 1e-3, `${scan}, score ${i}: ${difference}`);
    }
    model.dispose();
  }
  t.equal(tf.memory().numTensors, before);
});
