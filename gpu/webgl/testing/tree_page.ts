/** Trees and scans in a page, against the fixtures. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMST, edgeDissimilarity, gridGraph, treeScan } from '../../../plugin/index.js';
import { channelsLast } from '../../../testing/fixture_format.js';
import { maxDifference, relativeDifference } from '../../../testing/measure.js';
import { orderOf, toTensor } from '../../../testing/reference_trees.js';
import '../index.js';
import { countGpuWork } from './measure.js';
import { fetchFixture, fixtureNames, pageTest } from './page_test.js';

const SCAN_BOUND = 2e-5;

pageTest('tree scans and gradients of the fixtures', async (t) => {
  for (const name of await fixtureNames(/treescan_/)) {
    const fixture = await fetchFixture(name);
    const get = (tensor: string) => channelsLast(fixture.tensor(tensor));
    const tree = orderOf(fixture.tensor('parent'));
    const [x, decay, dy] = ['feature_in', 'edge_weight', 'grad_output'].map((tensor) =>
      toTensor(get(tensor)),
    );
    const y = treeScan(x, decay, tree);
    t.atMost(relativeDifference(y.dataSync(), get('feature_out_true').values), SCAN_BOUND, `${name} y`);
    const [dx, ddecay] = tf.grads((x, decay) => treeScan(x, decay, tree))([x, decay], dy);
    t.atMost(relativeDifference(dx.dataSync(), get('grad_x_true').values), SCAN_BOUND, `${name} dx`);
    t.atMost(relativeDifference(ddecay.dataSync(), get('grad_w_true').values), SCAN_BOUND, `${name} ddecay`);
    tf.dispose([x, decay, dy, y, dx, ddecay, tree]);
  }
});

pageTest('edge weights of the fixtures', async (t) => {
  for (const name of await fixtureNames(/edge_weights_/)) {
    const fixture = await fetchFixture(name);
    const { shape, values } = fixture.tensor('features');
    const [batch, channels] = shape;
    const flat = { shape: [batch, channels, shape[2] * shape[3]], values };
    const features = toTensor(channelsLast(flat));
    const edges = toTensor(fixture.tensor('edges'));
    for (const metric of ['cosine', 'euclidean', 'manhattan'] as const) {
      const weights = edgeDissimilarity(features, edges, { metric }).dataSync();
      const name = { cosine: 'weight_cosine', euclidean: 'weight_norm2', manhattan: 'weight_norm1' }[metric];
      const wanted = fixture.tensor(name).values;
      const given = metric === 'cosine' ? weights.map(Math.exp) : weights;
      t.atMost(relativeDifference(given, wanted), 1e-5, `${fixture.name} ${metric}`);
    }
  }
});

pageTest('spanning trees of the fixtures', async (t) => {
  for (const name of await fixtureNames(/grootv\/mst_/)) {
    const fixture = await fetchFixture(name);
    const numVertices = fixture.tensor('num_vertices').values[0];
    const tree = boruvkaMST(toTensor(fixture.tensor('weights')), toTensor(fixture.tensor('edges')), {
      numVertices,
    });
    const wanted = fixture.tensor('tree_edge_index_sorted').values;
    t.equal(maxDifference(tree.edgeIndex.dataSync(), wanted), 0, name);
    tree.dispose();
  }
});

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
    // The first size compiles what no test before has.
    if (height > 3) t.equal(links, before, `${[batch, height, width, channels]}: compiled`);
  }
  gl.linkProgram = linkProgram;
});
