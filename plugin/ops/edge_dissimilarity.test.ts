import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { channelsLast, fixtureFiles, readFixture } from '../../testing/fixtures.js';
import { maxDifference, relativeDifference } from '../../testing/measure.js';
import { edgeDissimilarity, gridGraph, type Metric } from '../index.js';

/** Features of an edge_weights fixture, [B, C, H, W] there, as [B, V, C]. */
function featuresOf(fixture: ReturnType<typeof readFixture>) {
  const { shape, values } = fixture.tensor('features');
  const [B, C, H, W] = shape;
  const moved = channelsLast({ shape: [B, C, H * W], values });
  return { features: tf.tensor3d(moved.values as Float32Array, [B, H * W, C]), H, W };
}

for (const backend of BACKENDS) {
  t.test(`edgeDissimilarity on ${backend}`, async (t) => {
    await t.test('the reference: exp of the cosine, the other metrics as they are', async (t) => {
      const { leaked } = await onBackend(backend, () => {
        for (const file of fixtureFiles('grootv', /^edge_weights_/)) {
          const fixture = readFixture(file);
          tf.tidy(() => {
            const { features, H, W } = featuresOf(fixture);
            const edges = gridGraph(H, W);
            t.same([...edges.dataSync()], [...fixture.tensor('edges').values], `${file} edges`);
            const weights = (metric?: Metric) => edgeDissimilarity(features, edges, { metric }).dataSync();
            const wanted = (name: string) => fixture.tensor(name).values;
            const cosine = maxDifference(Float32Array.from(weights(), Math.exp), wanted('weight_cosine'));
            t.ok(cosine <= 1e-6, `${file} cosine: ${cosine}`);
            const euclidean = relativeDifference(weights('euclidean'), wanted('weight_norm2'));
            t.ok(euclidean <= 1e-6, `${file} euclidean: ${euclidean}`);
            const manhattan = relativeDifference(weights('manhattan'), wanted('weight_norm1'));
            t.ok(manhattan <= 1e-6, `${file} manhattan: ${manhattan}`);
          });
        }
      });
      t.equal(leaked, 0);
    });

    await t.test('the stated order of summation, bit for bit', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const D = 21;
          const x = tf.randomNormal([1, 2, D], 0, 1, 'float32', 11);
          const values = x.dataSync();
          const f = Math.fround;
          const sum = (u: number, v: number) => {
            const lanes = new Float32Array(8);
            for (let d = 0; d < D; d++)
              lanes[d % 8] = f(lanes[d % 8] + f(values[u * D + d] * values[v * D + d]));
            const [a, b, c, d, e, g, h, i] = lanes;
            return f(f(f(a + e) + f(c + h)) + f(f(b + g) + f(d + i)));
          };
          const wanted = -f(sum(0, 1) / (Math.sqrt(sum(0, 0)) * Math.sqrt(sum(1, 1))));
          t.equal(edgeDissimilarity(x, gridGraph(1, 2)).dataSync()[0], wanted);
        }),
      );
    });

    await t.test('equal features weigh exactly -1, whatever they are', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          const row = tf.randomNormal([200, 1, 37], 0, 3, 'float32', 12);
          const weights = edgeDissimilarity(tf.concat([row, row], 1), gridGraph(1, 2)).dataSync();
          t.ok(weights.every((weight) => weight === -1));
        }),
      );
    });

    await t.test('zero vectors, no edges, no channels', async (t) => {
      await onBackend(backend, () =>
        tf.tidy(() => {
          t.equal(edgeDissimilarity(tf.zeros([1, 2, 3]), gridGraph(2, 1)).dataSync()[0] + 0, 0);
          t.same(edgeDissimilarity(tf.zeros([2, 1, 3]), gridGraph(1, 1)).shape, [2, 0]);
          t.same(
            [
              ...edgeDissimilarity(tf.zeros([1, 3, 0]), gridGraph(1, 3))
                .add(0)
                .dataSync(),
            ],
            [0, 0],
          );
        }),
      );
    });
  });
}

t.test('errors say what was given and what is expected', async (t) => {
  const { leaked } = await onBackend('cpu', () =>
    tf.tidy(() => {
      const edges = gridGraph(2, 2);
      const fails = (run: () => unknown, message: RegExp) => t.throws(run, { message });
      fails(
        () => edgeDissimilarity(tf.zeros([4, 2]), edges),
        /EdgeDissimilarity: features has shape \[4, 2\]/,
      );
      fails(
        () => edgeDissimilarity(tf.zeros([1, 3, 2]), edges),
        /edges\[1\] joins the vertices 1 and 3, expected vertex ids from 0 to 2/,
      );
      fails(() => edgeDissimilarity(tf.zeros([1, 4, 2], 'int32'), edges), /features has dtype int32/);
      fails(
        () => edgeDissimilarity(tf.zeros([1, 4, 2]), tf.zeros([4, 3], 'int32')),
        /edges has shape \[4, 3\]/,
      );
      fails(
        () => edgeDissimilarity(tf.zeros([1, 4, 2]), edges, { metric: 'l7' as Metric }),
        /metric is "l7", expected one of cosine/,
      );
    }),
  );
  t.equal(leaked, 0);
});
