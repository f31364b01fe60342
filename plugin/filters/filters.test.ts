/**
 * Tests arguments, boundary values and memory of the filters and losses. Values are tested by
 * conformance/cases/filter_files.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import {
  type GridTreeOptions,
  gridTree,
  grootVScan,
  learnableTreeFilter,
  levelSetLoss,
  localAffinityFilter,
  normalizedTreeScan,
  OpError,
  parentAffinity,
  randomTreeOfGuide,
  treeEnergyLoss,
  treeFilter,
} from '../index.js';

const maps = (...shape: [number, number, number, number]) => tf.randomNormal(shape, 0, 1, 'float32', 7);
const weightsOf = (channels: number, guideChannels: number, embedded: number, groups: number) => ({
  embed: tf.randomNormal([channels, embedded], 0, 1, 'float32', 1),
  guide: tf.randomNormal([guideChannels, embedded], 0, 1, 'float32', 2),
  confidence: tf.randomNormal([channels, groups], 0, 1, 'float32', 3),
  beta: tf.fill([groups], 0.5),
  gamma: tf.tensor1d([0.5]),
});

/** All functions on maps [B, H, W, *], by name. */
function results(batch: number, height: number, width: number): Record<string, tf.Tensor> {
  const map = (channels: number) => maps(batch, height, width, channels);
  const size = height * width;
  const pairs = () => tf.ones([batch, size, 2]);
  const tree = gridTree(map(3));
  const { ofImage, ofFeatures } = levelSetLoss(
    tf.reshape(map(1), [batch, height, width]),
    tf.ones([batch, height, width]),
    map(3),
    map(2),
  );
  const labels = tf.ones([batch, height, width], 'bool');
  return {
    treeFilter: treeFilter(map(4), { embed: map(2), guide: map(3), groups: 2 }),
    alongTree: treeFilter(map(4), { tree }),
    learnableTreeFilter: learnableTreeFilter(map(4), map(3), weightsOf(4, 3, 2, 2)),
    cells: learnableTreeFilter(map(4), maps(batch, 2 * height, 2 * width, 3), weightsOf(4, 3, 2, 2), {
      tree,
    }),
    treeEnergyLoss: treeEnergyLoss(map(5), map(3), labels, { features: map(2) }),
    ofImage,
    ofFeatures,
    localAffinityFilter: localAffinityFilter(map(2), map(3), {
      box: tf.ones([batch, height, width]),
      rounds: 2,
    }),
    grootVScan: grootVScan(pairs(), pairs(), map(3), { maximum: true }),
    normalizedTreeScan: normalizedTreeScan(tf.ones([batch, size, 4]), pairs(), tree),
    parentAffinity: parentAffinity(tf.ones([batch, size, 4]), tree, { groups: 4 }),
  };
}

for (const backend of BACKENDS) {
  t.test(`one pixel, one row, a batch: finite on ${backend}, and nothing is left`, (t) =>
    onBackend(backend, async () => {
      const shapes: readonly [number, number, number][] = [
        [1, 1, 1],
        [2, 1, 5],
        [2, 4, 3],
      ];
      for (const shape of shapes) {
        const before = tf.memory().numTensors;
        const found = tf.tidy(() => results(...shape));
        t.equal(tf.memory().numTensors, before + Object.keys(found).length, `[${shape}]`);
        for (const [name, result] of Object.entries(found)) {
          t.ok((await result.data()).every(Number.isFinite), `${name} of [${shape}]`);
        }
        tf.dispose(found);
      }
    }).then(({ leaked }) => t.equal(leaked, 0)),
  );
}

t.test('each function leaves its result alone', async (t) => {
  await onBackend('cpu', () => {
    const [map, labels, box] = [maps(1, 3, 3, 4), tf.ones([1, 3, 3], 'int32'), tf.ones([1, 3, 3])];
    const weights = weightsOf(4, 4, 2, 2);
    const calls: Record<string, () => tf.TensorContainer> = {
      gridTree: () => Object.values(gridTree(map)).filter((part) => part instanceof tf.Tensor),
      treeFilter: () => treeFilter(map),
      learnableTreeFilter: () => learnableTreeFilter(map, map, weights),
      treeEnergyLoss: () => treeEnergyLoss(map, map, labels),
      levelSetLoss: () => ({ ...levelSetLoss(box, box, map, map) }),
      localAffinityFilter: () => localAffinityFilter(map, map),
    };
    for (const [name, call] of Object.entries(calls)) {
      const before = tf.memory().numTensors;
      const result = call();
      tf.dispose(result);
      t.equal(tf.memory().numTensors, before, name);
      t.throws(
        () =>
          tf.tidy(() => {
            call();
            throw new Error('on purpose');
          }),
        /on purpose/,
      );
      t.equal(tf.memory().numTensors, before, `${name}, then an error`);
    }
    tf.dispose([map, labels, box, weights as unknown as tf.TensorContainer]);
  });
});

t.test('a random tree of a guide', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const [feature, guide, weights] = [maps(2, 3, 4, 6), maps(2, 6, 8, 3), { guide: tf.ones([3, 4]) }];
    const edgesOf = async (seed: number) => {
      const tree = await randomTreeOfGuide(feature, guide, weights, seed);
      const edges = Array.from(await tree.edgeIndex.data());
      tree.dispose();
      return edges;
    };
    const first = await edgesOf(1);
    t.equal(first.length, 2 * 11);
    t.same(await edgesOf(1), first, 'the same of the same seed');
    t.notSame(await edgesOf(2), first);
    const wrong = randomTreeOfGuide(feature, feature, weights, 1);
    await t.rejects(
      wrong,
      /^randomTreeOfGuide: guideWeights has shape \[3, 4\], expected \[K, C\] = \[6, 4\]/,
    );
    await t.rejects(randomTreeOfGuide(feature, guide, weights, 0.5), /seed is 0.5, expected an integer/);
    tf.dispose([feature, guide, weights.guide]);
  });
  t.equal(leaked, 0);
});

t.test('what cannot be: one line that says what was given and what is expected', async (t) => {
  await tf.setBackend('cpu');
  const map = maps(2, 3, 4, 6);
  const weights = weightsOf(6, 6, 4, 2);
  const tree = gridTree(map);
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [
      () => gridTree(tf.ones([2, 12, 6])),
      /^gridTree: features has shape \[2, 12, 6\], expected float32 features\[B, H, W, C\]/,
    ],
    [
      () => gridTree(map, { mapping: 'log' } as unknown as GridTreeOptions),
      /^gridTree: mapping is "log", expected one of none, plus_one, exp/,
    ],
    [() => gridTree(map, { root: 12 }), /^BoruvkaMST: root is 12, expected an integer from 0 to 11/],
    [
      () => gridTree(maps(1, 0, 3, 2)),
      /^gridTree: features\[B, H, W, C\] has shape \[1, 0, 3, 2\]: .*, expected at least/,
    ],
    [() => treeFilter(map, { groups: 4 }), /^treeFilter: .*D\/G is 1\.5, expected an integer/],
    [
      () => treeFilter(map, { embed: maps(2, 3, 3, 6) }),
      /^treeFilter: embed has shape \[2, 3, 3, 6\], expected .*\[2, 3, 4, 6\]/,
    ],
    [
      () => treeFilter(map, { guide: map, tree }),
      /^treeFilter: both guide and tree are given, expected one of them/,
    ],
    [
      () => treeFilter(map, { tree: { order: tree.parent, parent: tree.parent } }),
      /order\[0, 1\] is 0, a second time/,
    ],
    [() => treeFilter(map, { sigma: 0 }), /^treeFilter: sigma is 0, expected a finite number of at least/],
    [
      () => learnableTreeFilter(map, map, { ...weights, embed: weights.confidence }),
      /^learnableTreeFilter: guideWeights has shape \[6, 4\], expected \[K, C\] = \[6, 2\]/,
    ],
    [
      () => learnableTreeFilter(map, map, weights, { tree: { order: tree.order } as typeof tree }),
      /^learnableTreeFilter: tree has no parent, expected a tree such as boruvkaMST gives/,
    ],
    [
      () => learnableTreeFilter(map, map, undefined as unknown as typeof weights),
      /^learnableTreeFilter: embedWeights is missing/,
    ],
    [
      () => treeEnergyLoss(map, map, tf.ones([2, 3, 4])),
      /^treeEnergyLoss: unlabeled has dtype float32, expected int32 unlabeled\[B, M, N\]/,
    ],
    [
      () => treeEnergyLoss(map, map, tf.ones([1, 3, 4], 'bool')),
      /^treeEnergyLoss: unlabeled has shape \[1, 3, 4\], expected/,
    ],
    [
      () => levelSetLoss(tf.ones([3, 3, 4]), tf.ones([3, 3, 4]), map, map),
      /^levelSetLoss: image has 2 maps, expected 1 or one for each of 3 instances/,
    ],
    [
      () => localAffinityFilter(map, map, { box: tf.ones([2, 4, 3]) }),
      /^localAffinityFilter: box has shape \[2, 4, 3\], expected .*\[2, 3, 4\]/,
    ],
    [() => localAffinityFilter(map, map, { reach: -1 }), /reach is -1, expected an integer of at least 0/],
    [
      () => grootVScan(tf.ones([2, 11, 4]), tf.ones([2, 12, 4]), map),
      /^grootVScan: x has shape \[2, 11, 4\], expected .*\[2, 12, 4\]/,
    ],
    [() => normalizedTreeScan(tf.ones([2, 12, 4]), tf.ones([2, 12, 3]), tree), /^normalizedTreeScan: .*D\/G/],
    [
      () => parentAffinity(tf.ones([2, 12, 4]), undefined as unknown as typeof tree),
      /^parentAffinity: order is missing/,
    ],
  ];
  for (const [call, expected] of wrong) {
    try {
      call();
      t.fail(`no error: ${expected}`);
    } catch (error) {
      t.ok(error instanceof OpError);
      t.match((error as Error).message, expected);
      t.notMatch((error as Error).message, /\n/);
    }
  }
});

t.test('no gradient of the tree energy loss flows through the image', async (t) => {
  await tf.setBackend('cpu');
  const logits = maps(1, 3, 4, 3);
  const pinned = tf.clone(logits); // tf.grad passes its own tensor to the function
  const labels = tf.ones([1, 3, 4], 'int32');
  const gradient = (imageOf: (logits: tf.Tensor) => tf.Tensor) =>
    Array.from(
      tf
        .grad((logits: tf.Tensor) => treeEnergyLoss(logits, imageOf(logits), labels, { sigma: 1 }))(logits)
        .dataSync(),
    );
  const through = gradient((logits) => logits);
  t.same(
    through,
    gradient(() => pinned),
  );
  t.ok(through.some((each) => Math.abs(each) > 1e-4));
});

t.test('mappings make ties in float32, of which the lowest edge wins', async (t) => {
  await tf.setBackend('cpu');
  // A ring of 2 x 2 pixels: the edges 0-2, 1-3, 0-1, 2-3 with the squared distances below.
  const treeOf = (features: number[], options: GridTreeOptions) =>
    Array.from(
      tf.tidy(() =>
        gridTree(tf.tensor4d(features, [1, 2, 2, 1]), {
          metric: 'euclidean',
          ...options,
        }).edgeIndex.dataSync(),
      ),
    );
  const small = [0, 2 ** -14, 2 ** -13, 2 ** -14]; // 2^-26, 0, 2^-28, 2^-28: all round to 1 when 1 is added
  t.same(treeOf(small, { mapping: 'none' }), [1, 2, 3]);
  t.same(treeOf(small, { mapping: 'plus_one' }), [0, 1, 2]);
  t.same(treeOf(small, { mapping: 'exp' }), [0, 1, 2]);
  const large = [0, 10, 11, 0]; // 121, 100, 100, 121: all become infinite
  t.same(treeOf(large, { mapping: 'plus_one' }), [0, 1, 2]);
  t.same(treeOf(large, { mapping: 'none', maximum: true }), [0, 1, 3]);
  t.same(treeOf([0, 10, 9, 1], { mapping: 'none' }), [0, 1, 3]); // 81, 81, 100, 64
  t.same(treeOf([0, 11, 10, 1], { mapping: 'exp' }), [0, 1, 3]);
});
