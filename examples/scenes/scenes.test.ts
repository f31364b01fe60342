/** Composed scenes: their truth fits itself, a seed repeats them, training and evaluation share no pixel. */
import t from 'tap';
import { readImage } from '../../node/index.js';
import { RandomNumbers } from '../../plugin/training/index.js';
import {
  backgroundsOf,
  CLASS_NAMES,
  composeScene,
  openBundledScenes,
  openScenes,
  sceneOf,
} from './scenes.js';

/** tap's comparison takes seconds for arrays of this size. */
function isSame(a: Uint8Array | Int32Array, b: Uint8Array | Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

const bundled = await openBundledScenes();

t.test('class map, masks and boxes agree; digits lie within the image', async (t) => {
  const seen = new Set<number>();
  for (const [seed, size] of [
    [1, 128],
    [2, 128],
    [3, 96],
  ]) {
    const { image, classMap, instances } = await sceneOf(bundled, seed, 0, { size });
    t.same([image.width, image.height, image.data.length], [size, size, size * size * 3]);
    t.ok(instances.length >= 2 && instances.length <= 5, `${instances.length} digits`);
    const expected = new Int32Array(size * size);
    for (const { label, box, mask } of instances) {
      seen.add(label);
      const columns: number[] = [];
      const rows: number[] = [];
      for (let i = 0; i < mask.length; i++) {
        if (mask[i] === 0) continue;
        if (expected[i] !== 0) t.fail('a pixel of two digits');
        expected[i] = label + 1;
        columns.push(i % size);
        rows.push(Math.floor(i / size));
      }
      const bounds = [
        Math.min(...columns),
        Math.min(...rows),
        Math.max(...columns) + 1,
        Math.max(...rows) + 1,
      ];
      t.same(box, bounds);
      const long = Math.max(box[2] - box[0], box[3] - box[1]) * (128 / size);
      t.ok(long >= 18 && long <= 58, `${long} pixels`);
    }
    t.ok(isSame(classMap, expected));
    t.ok(Math.max(...classMap) < CLASS_NAMES.length);
  }
  t.ok(seen.size > 4);
});

t.test('a seed and an index give one scene', async (t) => {
  const [first, again, next, other] = await Promise.all(
    [
      [7, 3],
      [7, 3],
      [7, 4],
      [8, 3],
    ].map(([seed, index]) => sceneOf(bundled, seed, index)),
  );
  for (const [each, expected] of [
    [again, true],
    [next, false],
    [other, false],
  ] as const) {
    t.equal(isSame(each.image.data, first.image.data), expected);
    t.equal(isSame(each.classMap, first.classMap), expected);
  }
});

t.test('training and evaluation share no column of a photograph', async (t) => {
  const [training, evaluation] = [await backgroundsOf('training'), await backgroundsOf('evaluation')];
  for (const [i, name] of ['astronaut', 'chelsea'].entries()) {
    const whole = await readImage(new URL(`../photos/${name}.png`, import.meta.url));
    const rows = Array.from({ length: whole.height }, (_, y) =>
      [training[i], evaluation[i]].map(({ width, data }) =>
        data.subarray(y * width * 3, (y + 1) * width * 3),
      ),
    );
    t.ok(Buffer.concat(rows.flat()).equals(whole.data));
  }
});

t.test('idx files: the training images for training, the test images for evaluation', async (t) => {
  const header = (...sizes: number[]) => [0, 0, 8, sizes.length, ...sizes.flatMap((size) => [0, 0, 0, size])];
  const digit = Array.from({ length: 784 }, (_, i) => (i % 28 > 3 && i % 28 < 24 ? 255 : 0));
  const files = ['train', 't10k'].flatMap((name, label) => [
    [`${name}-images-idx3-ubyte`, Buffer.from([...header(1, 28, 28), ...digit])],
    [`${name}-labels-idx1-ubyte`, Buffer.from([...header(1), label + 3])],
  ]);
  const folder = t.testdir(Object.fromEntries(files));
  for (const [part, label] of [
    ['training', 3],
    ['evaluation', 4],
  ] as const) {
    const { instances } = await composeScene(await openScenes(folder, part), new RandomNumbers(1));
    t.same([...new Set(instances.map((each) => each.label))], [label]);
  }
  await t.rejects(openScenes(t.testdir({ empty: {} }), 'training'), { message: /train-/ });
});
