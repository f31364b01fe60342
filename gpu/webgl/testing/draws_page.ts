/** Tests costs on the GPU: draws, read-backs and compiled programs, in a page. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import * as tf from '@tensorflow/tfjs-core';
import {
  boruvkaMST,
  discretize,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  parentDissimilarity,
  silu,
  stateReadout,
  treeScan,
} from '../../../plugin/index.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { pageTest } from './page_test.js';

pageTest('draws and read-backs', async (t) => {
  for (const [size, channels, bound] of [
    [56, 160, 40],
    [14, 640, 26],
  ]) {
    const numVertices = size * size;
    const edges = gridGraph(size, size);
    const features = tf.randomNormal([1, numVertices, 16]);
    features.dataSync();
    const decay = tf.randomUniform([1, numVertices, channels], 0.5, 1);
    const x = tf.randomNormal([1, numVertices, channels]);
    const groups = tf.randomUniform([1, numVertices, 4], 0.5, 1);
    const { result: tree, counts: choosing } = await countGpuWork(() =>
      boruvkaMST(edgeDissimilarity(features, edges), edges, { numVertices }),
    );
    t.equal(choosing.readBacks, 1, `${size}: read-backs of a tree`);
    for (const time of ['first', 'second']) {
      const { result: y, counts } = await countGpuWork(() => treeScan(x, decay, tree));
      t.atMost(counts.draws, bound, `${size}: draws of the ${time} scan, ${JSON.stringify(counts)}`);
      t.equal(counts.readBacks, 0, `${size}: read-backs of the ${time} scan`);
      y.dispose();
    }
    const { result: shared, counts } = await countGpuWork(() => treeScan(x, groups, tree));
    t.atMost(counts.draws, bound, `${size}: draws of a scan whose channels share decays`);
    shared.dispose();
    for (const metric of ['cosine', 'euclidean'] as const) {
      const weigh = (x: tf.Tensor) => parentDissimilarity(x, tree, { metric, groups: 4 });
      const { result, counts } = await countGpuWork(() => [
        weigh(features),
        tf.grad(weigh)(features, groups),
      ]);
      t.atMost(
        counts.draws,
        metric === 'cosine' ? 6 : 5,
        `${size}: draws of ${metric} to parents, and its gradient`,
      );
      t.equal(counts.readBacks, 0, `${size}: read-backs of ${metric} to parents`);
      tf.dispose(result);
    }
  }
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

pageTest('a new size compiles nothing', async (t) => {
  const { gl } = (tf.backend() as MathBackendWebGL).getGPGPUContext();
  const linkProgram = gl.linkProgram;
  let links = 0;
  gl.linkProgram = (program) => {
    links++;
    linkProgram.call(gl, program);
  };
  for (const [batch, height, width, channels] of [
    [2, 3, 5, 8],
    [2, 4, 4, 12],
    [2, 13, 11, 7],
    [3, 90, 120, 5],
    [3, 40, 120, 160],
  ]) {
    const numVertices = height * width;
    const edges = gridGraph(height, width);
    const weights = tf.randomUniform([batch, edges.shape[0]]);
    const [x, decay] = [0, 0.5].map((low) =>
      tf.add(tf.randomUniform([batch, numVertices, channels], low), 0),
    );
    const tree = boruvkaMST(weights, edges, { numVertices });
    edgeDissimilarity(x, edges);
    const before = links;
    treeScan(x, decay, tree);
    edgeDissimilarity(decay, edges);
    // The first size compiles programs that no earlier test has compiled.
    if (height > 3) t.equal(links, before, `${[batch, height, width, channels]}: compiled`);
  }
  gl.linkProgram = linkProgram;
});
