import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../testing/backends.js';
import { fixtureFiles, readFixture } from '../testing/fixtures.js';
import { gridGraph, windowGraph } from './index.js';

t.test('gridGraph', async (t) => {
  await onBackend('cpu', () =>
    tf.tidy(() => {
      t.same(gridGraph(2, 3).arraySync(), [
        [0, 3],
        [1, 4],
        [2, 5],
        [0, 1],
        [1, 2],
        [3, 4],
        [4, 5],
      ]);
      t.same(gridGraph(1, 1).shape, [0, 2]);
      t.same(gridGraph(1, 3).arraySync(), [
        [0, 1],
        [1, 2],
      ]);
      t.same(gridGraph(3, 1).arraySync(), [
        [0, 1],
        [1, 2],
      ]);
      t.throws(() => gridGraph(0, 3), {
        message: /gridGraph: height is 0, expected an integer of at least 1/,
      });
      t.throws(() => gridGraph(2, 1.5), { message: /width is 1.5/ });
    }),
  );
});

t.test('windowGraph', async (t) => {
  await onBackend('cpu', () =>
    tf.tidy(() => {
      t.same(windowGraph(6, { promptLength: 4 }).arraySync(), [
        [0, 1],
        [1, 2],
        [2, 3],
        [2, 4],
        [2, 5],
        [3, 4],
        [3, 5],
        [4, 5],
      ]);
      t.same(windowGraph(4, { promptLength: 0 }).arraySync(), [
        [0, 1],
        [1, 2],
        [2, 3],
      ]);
      t.same(windowGraph(1).shape, [0, 2]);
      t.throws(() => windowGraph(0), { message: /length is 0/ });
      t.throws(() => windowGraph(4, { promptLength: 5 }), {
        message: /promptLength is 5, expected an integer from 0 to/,
      });
      t.throws(() => windowGraph(4, { reach: 0 }), { message: /reach is 0/ });
    }),
  );
  const cases = fixtureFiles('grootl/op', /^case.*_ctx(\d+)\.safetensors$/);
  if (cases.length === 0)
    t.pass('the graphs of the language cases', { skip: 'fixtures/grootl/op is not here' });
  for (const file of cases) {
    const fixture = readFixture(file);
    if (!fixture.has('pairs')) continue;
    const [, length, promptLength] = /_L(\d+)_ctx(\d+)/.exec(file) as unknown as number[];
    const edges = windowGraph(Number(length), { promptLength: Number(promptLength) });
    t.same([...edges.dataSync()], [...fixture.tensor('pairs').values], file);
  }
});
