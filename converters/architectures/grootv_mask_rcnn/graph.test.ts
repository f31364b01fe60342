/** Converted Mask R-CNNs against all reference numbers. The conformance suite checks all backends against a part of them. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { BACKENDS, onBackend } from '../../../testing/backends.js';
import { randomState, smallMaskRCNN } from '../../../testing/checkpoints.js';
import { runExpected } from '../../../testing/dense_cases.js';
import { loadSink } from '../../../testing/models.js';
import { type ConvertOptions, convertCheckpoint, MemorySink } from '../../index.js';
import {
  MadeOrderedDict,
  type MadeTensor,
  madeTensor,
  torchZipBytes,
} from '../../pytorch/testing/torch_writer.js';

const OUTPUTS = ['boxes', 'scores', 'classes', 'masks'];

t.test('mask_rcnn_tiny: every stage, small settings, padded images', async (t) => {
  const report = await runExpected('dense/mask_rcnn_tiny.pth', 'wasm');
  if (!report) return t.comment('the whole fixtures are not here');
  for (const { case: name, op, verdict, reason } of report.cases) {
    t.equal(verdict, 'pass', `${op}: ${name} ${reason}`);
  }
  t.ok(report.cases.length >= 6);
});

async function converted(state: ReadonlyMap<string, MadeTensor>, dense: ConvertOptions['dense'] = {}) {
  const sink = new MemorySink();
  await convertCheckpoint(await torchZipBytes(new MadeOrderedDict(state)), sink, { dense });
  return loadSink(sink);
}

const STATE = randomState(smallMaskRCNN());

/** Values and shapes of the outputs. */
async function detect(model: GraphModel, feeds: Record<string, tf.Tensor>, how: 'execute' | 'executeAsync') {
  const results = (await model[how](feeds, OUTPUTS)) as tf.Tensor[];
  const values = results.map((result) => ({ shape: result.shape, values: [...result.dataSync()] }));
  const [boxes, scores, classes, masks] = values;
  t.equal(results[2].dtype, 'int32');
  tf.dispose(results);
  return { boxes, scores, classes, masks };
}

function checkEmpty(t: Test, { boxes, scores, classes, masks }: Awaited<ReturnType<typeof detect>>): void {
  t.same([boxes.shape, scores.shape, classes.shape], [[0, 4], [0], [0]]);
  t.same(masks.shape, [0, 28, 28]);
}

/** tfjs prints a warning against executeAsync for any graph without an op that it considers dynamic. */
async function quietly<T>(body: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = () => {};
  try {
    return await body();
  } finally {
    console.warn = warn;
  }
}

for (const backend of BACKENDS) {
  t.test(`defaults, and nothing found, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const image = tf.randomUniform([1, 64, 80, 3], 0, 255, 'float32', 3);
      const size = tf.tensor1d([64, 80], 'int32');
      const ones = tf.ones([4]);
      const model = await converted(STATE, { scoreThreshold: 0.3, maxDetections: 5 });
      const found = await detect(model, { image }, 'execute');
      t.same(found.masks.shape, [found.boxes.shape[0], 28, 28]);
      t.ok(found.scores.values.length > 0, `${found.scores.values.length} detections`);
      t.ok(found.scores.values.every((score, i, all) => score > 0.3 && (i === 0 || score <= all[i - 1])));
      t.ok(found.masks.values.every((value) => value >= 0 && value <= 1));
      const given = { image, image_shape: size, scale_factor: ones };
      t.same(await detect(model, given, 'execute'), found, 'the whole input, as it is');
      t.same(await quietly(() => detect(model, { image }, 'executeAsync')), found, 'asynchronously');
      const alone = (await quietly(() => model.executeAsync(image))) as tf.Tensor[];
      t.same(
        alone.map(({ shape }) => shape[0]),
        new Array(4).fill(found.scores.values.length),
        'an image alone',
      );
      tf.dispose(alone);
      const two = tf.fill([4], 2);
      const twice = await detect(model, { image, scale_factor: two }, 'execute');
      t.same(twice.scores.values, found.scores.values);
      t.same(
        twice.boxes.values,
        found.boxes.values.map((value) => value / 2),
        'boxes of an image half as large',
      );
      model.dispose();

      const nothing = await converted(STATE, { scoreThreshold: 1 });
      checkEmpty(t, await detect(nothing, { image }, 'execute'));
      checkEmpty(t, await quietly(() => detect(nothing, { image }, 'executeAsync')));
      nothing.dispose();
      const none = await converted(STATE, { proposals: { minSize: 5000 } });
      const proposals = none.execute({ image }, 'proposals') as tf.Tensor;
      t.same(proposals.shape, [0, 5]);
      checkEmpty(t, await detect(none, { image }, 'execute'));
      checkEmpty(t, await quietly(() => detect(none, { image }, 'executeAsync')));
      tf.dispose([image, size, ones, two, proposals]);
      none.dispose();
    });
    t.equal(leaked, 0);
  });
}

/** A tensor that repeats the rows of another. */
function repeated({ storage, shape }: MadeTensor, times: number): MadeTensor {
  const bytes = storage.bytes as Uint8Array;
  const values = new Float32Array(bytes.slice().buffer);
  const rows = Float32Array.from({ length: times * values.length }, (_, i) => values[i % values.length]);
  return madeTensor('float32', [shape[0] * times, ...shape.slice(1)], rows);
}

t.test('one box and one mask for all classes, as the same for each', async (t) => {
  const agnostic = randomState(smallMaskRCNN({ classAgnosticBoxes: true, classAgnosticMasks: true }));
  const each = new Map(
    [...agnostic].map(([name, tensor]) => {
      const isShared = /fc_reg|conv_logits/.test(name);
      return [name, isShared ? repeated(tensor, 3) : tensor];
    }),
  );
  const { leaked } = await onBackend('wasm', async () => {
    const image = tf.randomUniform([1, 64, 64, 3], 0, 255, 'float32', 4);
    const results = [];
    for (const state of [agnostic, each]) {
      const model = await converted(state, { maxDetections: 8 });
      results.push(await detect(model, { image }, 'execute'));
      model.dispose();
    }
    t.same(results[0], results[1]);
    t.ok(results[0].scores.values.length > 3);
    image.dispose();
  });
  t.equal(leaked, 0);
});
