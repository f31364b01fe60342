/** Tests limits and losses in a page: errors, odd sizes, large ones, float16, lost contexts. */
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Aggregate,
  boruvkaMST,
  edgeDissimilarity,
  gelu,
  gridGraph,
  layerNormalization,
  treeScan,
} from '../../../plugin/index.js';
import { OPS } from '../../../plugin/ops/index.js';
import { hasOwnKernel } from '../../../plugin/ops/kernels.js';
import { Random } from '../../../plugin/ops/spec/random.js';
import { checkEmptyBatches } from '../../../testing/empty_batches.js';
import { maxDifference, relativeDifference } from '../../../testing/measure.js';
import { pinnedTrees, toChannelsLast, toTensor } from '../../../testing/reference_trees.js';
import { ready, restartWebgl, WebglContextLostError } from '../index.js';
import { countGpuWork } from './measure.js';
import { loadModel } from './page_models.js';
import { fetchFixture, type PageTest, quickPageTest } from './page_test.js';
import { onGpu, sameTrees, withBuilder } from './tree_builders.js';

/** Compares a scan of random features along a random tree of a grid, and its gradients, on both backends. */
async function compareScans(
  t: PageTest,
  [batch, height, width, channels]: number[],
  aggregate: Aggregate,
  withGradients = true,
): Promise<void> {
  const numVertices = height * width;
  const random = new Random(1);
  const draw = (low: number, shape: number[]) => random.tensor(shape, () => low + (1 - low) * random.next());
  const shape = [batch, numVertices, channels];
  const weights = draw(0, [batch, 2 * numVertices - height - width]);
  const features = [draw(-1, shape), draw(0, shape), draw(-1, shape)];
  const results = new Map<string, tf.TypedArray[]>();
  for (const backend of ['cpu', 'webgl']) {
    await tf.setBackend(backend);
    const outputs = tf.tidy(() => {
      const tree = boruvkaMST(toTensor(weights), gridGraph(height, width), { numVertices });
      const [x, decay, dy] = features.map(toTensor);
      const scan = (x: tf.Tensor, decay: tf.Tensor) => treeScan(x, decay, tree, { aggregate });
      const y = scan(x, decay);
      return [y, ...(withGradients ? tf.grads(scan)([x, decay], dy) : [])].map((tensor) => tensor.dataSync());
    });
    results.set(backend, outputs);
  }
  const expected = results.get('cpu') ?? [];
  results.get('webgl')?.forEach((values, i) => {
    const what = `${[batch, height, width, channels]} ${aggregate} ${['y', 'dx', 'ddecay'][i]}`;
    t.atMost(relativeDifference(values, expected[i]), 2e-5, what);
  });
}

quickPageTest('a detector without proposals or detections', async (t) => {
  await tf.setBackend('webgl');
  await checkEmptyBatches(t);
});

quickPageTest('odd sizes, V = 1, batches, both modes', async (t) => {
  for (const aggregate of ['all', 'root'] as const) {
    for (const shape of [
      [3, 1, 1, 5],
      [2, 1, 2, 3],
      [5, 2, 3, 2],
      [1, 14, 14, 33],
    ]) {
      await compareScans(t, shape, aggregate);
    }
  }
});

quickPageTest('a 256 x 256 grid', async (t) => {
  await compareScans(t, [1, 256, 256, 8], 'all', false);
});

quickPageTest('an order that is not breadth-first, and two parents for one order', async (t) => {
  const order = tf.tensor2d([[0, 1, 2, 3, 4]], [1, 5], 'int32');
  const x = tf.tensor3d([1, 2, 3, 4, 5], [1, 5, 1]);
  const decay = tf.tensor3d([9, 0.5, 0.5, 0.5, 0.5], [1, 5, 1]);
  // Depth-first: 0 -> 1 -> 2, 0 -> 3 -> 4; then a path.
  for (const [positions, wanted] of [
    [
      [0, 0, 1, 0, 3],
      [6, 4.75, 4.6875, 7, 7],
    ],
    [
      [0, 0, 1, 2, 3],
      [3.5625, 5.25, 6.25, 6.5, 6.625],
    ],
  ]) {
    const parent = tf.tensor2d([positions], [1, 5], 'int32');
    const root = treeScan(x, decay, { order, parent }, { aggregate: 'root' }).dataSync()[0];
    t.equal(root, positions[3] === 0 ? 1 + 0.5 * 3.5 + 0.5 * 6.5 : wanted[0], 'root');
    await tf.setBackend('cpu');
    const cpu = treeScan(x, decay, { order, parent }).dataSync();
    await tf.setBackend('webgl');
    t.atMost(maxDifference(treeScan(x, decay, { order, parent }).dataSync(), cpu), 1e-6, `${positions}`);
  }
});

quickPageTest('errors come before kernels', async (t) => {
  const x = tf.ones([1, 2, 1]);
  const bad = tf.tensor2d([[0, 5]], [1, 2], 'int32');
  const before = tf.memory().numTensors;
  await t.throws(
    () => treeScan(x, x, { order: bad, parent: bad }),
    /OpError: \w+: order\[0, 1\] is 5/,
    'tree',
  );
  await t.throws(
    () => treeScan(x, tf.ones([1, 3, 1]), { order: bad, parent: bad }),
    /OpError: \w+: decay/,
    'decay',
  );
  await t.throws(() => edgeDissimilarity(x, bad), /OpError: \w+: edges\[0\] joins/, 'edges');
  t.equal(tf.memory().numTensors - before, 1, 'nothing is left behind but the tensor made here');
});

quickPageTest('ready, again and again', async (t) => {
  await ready();
  await ready();
  t.ok(OPS.filter((op) => hasOwnKernel(op, 'webgl')).length > 10, 'own kernels');
});

/** Runs `predict` and loses the context at its n-th draw. */
async function loseAtDraw(n: number, predict: () => Promise<unknown>): Promise<unknown> {
  const { gl } = (
    tf.backend() as unknown as { getGPGPUContext(): { gl: WebGL2RenderingContext } }
  ).getGPGPUContext();
  const drawElements = gl.drawElements;
  let draws = 0;
  gl.drawElements = (...args) => {
    drawElements.apply(gl, args);
    if (++draws === n) gl.getExtension('WEBGL_lose_context')?.loseContext();
  };
  return predict();
}

interface Computation {
  readonly expected: ArrayLike<number>;
  readonly predict: () => Promise<ArrayLike<number>>;
}

async function wholeModel(): Promise<Computation> {
  const reference = await fetchFixture('grootv/grootv_tiny_fp16_expected.safetensors');
  const { model } = await loadModel('grootv/grootv_tiny_fp16.pth');
  const image = toTensor(reference.tensor('rgb.32x32'));
  return {
    expected: reference.tensor('logits.32x32').values,
    predict: async () => (model.predict(image) as tf.Tensor).data(),
  };
}

/** Uses few shaders, because each context compiles them again. */
async function fewOps(): Promise<Computation & { readonly draws: number }> {
  const run = () =>
    tf.tidy(() => {
      const x = tf.randomNormal([1, 9, 8], 0, 1, 'float32', 1);
      return gelu(layerNormalization(x, tf.ones([8]), tf.zeros([8])));
    });
  await tf.setBackend('cpu');
  const expected = await run().data();
  await tf.setBackend('webgl');
  run();
  const { counts } = await countGpuWork(run);
  return { expected, draws: counts.draws, predict: async () => run().data() };
}

quickPageTest('a context that is lost in the middle of a prediction', async (t) => {
  const losses: Record<string, () => Promise<Computation & { readonly draw: number }>> = {
    'between two ops': async () => ({ ...(await wholeModel()), draw: 100 }),
    'after the last op, before its values are read': async () => {
      const { draws: draw, ...rest } = await fewOps();
      return { ...rest, draw };
    },
    'while values are read': async () => ({ ...(await fewOps()), draw: 0 }),
  };
  for (const [when, start] of Object.entries(losses)) {
    const { expected, predict, draw } = await start();
    t.atMost(maxDifference(await predict(), expected), 1e-3, `before a loss ${when}`);
    const error = await t.throws(
      () =>
        draw > 0
          ? loseAtDraw(draw, predict)
          : loseAtDraw(-1, () => {
              const values = predict();
              const { gl } = (
                tf.backend() as unknown as { getGPGPUContext(): { gl: WebGL2RenderingContext } }
              ).getGPGPUContext();
              gl.getExtension('WEBGL_lose_context')?.loseContext();
              return values;
            }),
      /WebglContextLostError/,
      `a loss ${when}`,
    );
    t.ok(error instanceof WebglContextLostError, 'the exported class');
    await t.throws(
      () =>
        tf
          .ones([3, 3])
          .matMul(tf.ones([3, 3]))
          .dataSync(),
      /WebglContextLostError/,
      'built-in ops too',
    );
    await restartWebgl();
  }
  const { expected, predict } = await wholeModel();
  t.atMost(maxDifference(await predict(), expected), 1e-3, 'a new backend');
});

quickPageTest('a context that is lost in the middle of a tree', async (t) => {
  const edges = gridGraph(14, 14);
  const tree = () => boruvkaMST(onGpu([1, edges.shape[0]]), edges, { numVertices: 196 });
  await withBuilder('device', async () => {
    tree();
    const { gl } = (tf.backend() as MathBackendWebGL).getGPGPUContext();
    const { drawArrays } = gl;
    let draws = 0;
    gl.drawArrays = (...args) => {
      if (++draws === 10) gl.getExtension('WEBGL_lose_context')?.loseContext();
      drawArrays.apply(gl, args);
    };
    await t.throws(tree, /WebglContextLostError/, 'the tree');
    t.equal(draws, 10, 'at its tenth draw');
    await t.throws(tree, /WebglContextLostError/, 'and the next');
    await restartWebgl();
    const again = gridGraph(14, 14);
    await sameTrees(t, 'a new backend', onGpu([2, again.shape[0]]), again, { numVertices: 196 });
  });
});

quickPageTest('a device that renders only float16', async (t) => {
  const IMAGES = 8;
  const expected = await fetchFixture('grootv/grootv_tiny_fp16_expected.safetensors');
  const nano = await fetchFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const said: string[] = [];
  const { warn } = console;
  console.warn = (message: string) => said.push(message);
  tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', false);
  await restartWebgl();
  try {
    const { model, depths } = await loadModel('grootv/grootv_tiny_fp16.pth');
    const trained = await loadModel('grootv/grootv_nano_mnist.pth');
    for (let time = 0; time < 2; time++) {
      const logits = tf.tidy(() => {
        const feeds = pinnedTrees(expected, 'trees.32x32', depths);
        const normalized = toChannelsLast(expected.tensor('input.32x32'));
        return (model.execute({ normalized, ...feeds }, 'logits') as tf.Tensor).dataSync();
      });
      const difference = maxDifference(logits, expected.tensor('logits.32x32').values);
      t.atMost(difference, 0.02, "a small model with the reference's trees");
    }
    const own = tf.tidy(() => {
      const pixels = Float32Array.from(nano.tensor('images_u8').values.subarray(0, IMAGES * 28 * 28));
      const grey = tf.tensor4d(pixels, [IMAGES, 28, 28, 1]);
      const images = tf.tile(tf.image.resizeBilinear(grey, [64, 64], false, true), [1, 1, 1, 3]);
      return (trained.model.predict(images) as tf.Tensor).dataSync();
    });
    const expectedOwn = nano.tensor('logits_model').values.subarray(0, own.length);
    t.atMost(maxDifference(own, expectedOwn), 0.1, 'trained model, own trees');
    t.equal(said.filter((text) => /float16/.test(text)).length, 1, `one warning: ${said}`);
  } finally {
    console.warn = warn;
    tf.env().set('WEBGL_RENDER_FLOAT32_ENABLED', true);
    await restartWebgl();
  }
});
