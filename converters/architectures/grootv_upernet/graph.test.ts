/** Converted UperNets against all reference numbers. The conformance suite checks all backends against a part of them. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../../../testing/backends.js';
import { randomState, smallUperNet } from '../../../testing/checkpoints.js';
import { runExpected } from '../../../testing/dense_cases.js';
import { loadSink } from '../../../testing/models.js';
import { convertCheckpoint, MemorySink } from '../../index.js';
import { MadeOrderedDict, torchZipBytes } from '../../pytorch/testing/torch_writer.js';

for (const name of ['upernet_tiny', 'upernet_tiny_outnorm']) {
  t.test(`${name}: every stage, whole and in windows`, async (t) => {
    const report = await runExpected(`dense/${name}.pth`, 'wasm');
    if (!report) return t.comment('the whole fixtures are not here');
    for (const { case: name, op, verdict, reason } of report.cases) {
      t.equal(verdict, 'pass', `${op}: ${name} ${reason}`);
    }
    t.ok(report.cases.length >= 4);
  });
}

async function small(sizes: Parameters<typeof smallUperNet>[0] = {}) {
  const sink = new MemorySink();
  const state = new MadeOrderedDict(randomState(smallUperNet(sizes)));
  await convertCheckpoint(await torchZipBytes(state), sink);
  return loadSink(sink);
}

for (const backend of BACKENDS) {
  t.test(`any sizes and batches, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const model = await small({ depths: [1, 1, 1], classes: 6 });
      for (const [batch, height, width] of [
        [2, 33, 47],
        [1, 9, 64],
        [3, 4, 4],
      ]) {
        const image = tf.randomUniform([batch, height, width, 3], 0, 255, 'float32', 5);
        const [logits, segmentation] = model.predict(image) as tf.Tensor[];
        t.same(logits.shape, [batch, Math.ceil(height / 4), Math.ceil(width / 4), 6]);
        t.same(segmentation.shape, [batch, height, width]);
        t.equal(segmentation.dtype, 'int32');
        const [normalized, resized] = model.execute({ image }, [
          'normalized',
          'resized_logits',
        ]) as tf.Tensor[];
        t.same(resized.shape, [batch, height, width, 6]);
        t.same(
          segmentation.dataSync(),
          tf.tidy(() => tf.argMax(resized, 3).dataSync()),
          'the best class of every pixel',
        );
        const again = model.execute({ normalized }, 'logits') as tf.Tensor;
        t.same(again.dataSync(), logits.dataSync(), 'normalized may be fed instead');
        const last = tf.slice4d(image as tf.Tensor4D, [batch - 1, 0, 0, 0], [1, -1, -1, -1]);
        const alone = model.execute({ image: last }, 'logits') as tf.Tensor;
        const values = logits.dataSync();
        t.same(alone.dataSync(), values.slice(-alone.size), 'an image of a batch comes out as alone');
        tf.dispose([image, logits, segmentation, normalized, resized, again, last, alone]);
      }
      model.dispose();
    });
    t.equal(leaked, 0);
  });
}

t.test('as many levels as the backbone has', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    for (const depths of [[1], [1, 1, 1, 1, 1]]) {
      const model = await small({ depths });
      const image = tf.ones([1, 40, 24, 3]);
      const nodes = depths.flatMap((_, level) => [`features_${level}`, `lateral_${level}`, `fpn_${level}`]);
      const results = model.execute({ image }, [...nodes, 'logits']) as tf.Tensor[];
      t.same(results.at(-1)?.shape, [1, 10, 6, 3]);
      tf.dispose([image, ...results]);
      model.dispose();
    }
  });
  t.equal(leaked, 0);
});
