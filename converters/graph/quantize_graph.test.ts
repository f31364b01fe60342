/** `--quantize int8`: what is stored, the outputs of all kinds of graphs compared with float32, and what is refused. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { GrootL } from '../../plugin/index.js';
import { codesOf } from '../../plugin/ops/quantized_codes.js';
import { readFixture } from '../../testing/fixtures.js';
import { convertedFolder } from '../../testing/language_models.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted, toChannelsLast } from '../../testing/models.js';
import { GraphBuilder, ints, text } from './graph_builder.js';
import { MemorySink } from './model_sink.js';
import { writeModel } from './model_writer.js';

t.before(async () => {
  await tf.setBackend('cpu');
});

const NANO = 'grootv/grootv_nano_mnist.pth';

t.test('a classifier: large matrices and filters are a quarter, the rest is as it was', async (t) => {
  const [float, int8] = [await loadConverted(NANO), await loadConverted(NANO, { quantize: 'int8' })];
  for (const [name, [given]] of Object.entries(int8.model.weights)) {
    if (name.endsWith('/scales')) continue;
    const [expected] = float.model.weights[name];
    const scales = int8.model.weights[`${name}/scales`]?.[0];
    if (!scales) {
      t.same(given.dataSync(), expected.dataSync(), `${name} is the same`);
      continue;
    }
    t.equal(given.dtype, 'int32');
    const [values, steps, columns] = [expected.dataSync(), scales.dataSync(), scales.size];
    const codes = codesOf(given.dataSync() as Int32Array, columns, expected.size);
    const off = codes.findIndex(
      (code, i) =>
        Math.abs(code) > 127 || Math.abs(code * steps[i % columns] - values[i]) > 0.501 * steps[i % columns],
    );
    t.equal(off, -1, `${name}: within half a step`);
    t.equal(Math.max(...codes.map(Math.abs)), 127, `${name}: the largest is 127`);
  }
  const bytes = ({ sink }: { sink: MemorySink }) =>
    [...sink.files].reduce((sum, [name, { length }]) => sum + (name.endsWith('.bin') ? length : 0), 0);
  t.equal(bytes(int8), int8.inspection.outputBytes, 'as many bytes as inspections say');
  t.ok(bytes(int8) < 0.3 * bytes(float), `${bytes(int8)} of ${bytes(float)} bytes`);

  const fixture = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const x = tf.tidy(() =>
    tf.slice(toChannelsLast(fixture.tensor('input_first4')), [0, 0, 0, 0], [1, -1, -1, -1]),
  );
  const before = tf.memory().numTensors;
  const [expected, given] = [float, int8].map(({ model }) => {
    const logits = model.execute({ normalized: x }, 'logits') as tf.Tensor;
    const values = logits.dataSync() as Float32Array;
    logits.dispose();
    return values;
  });
  t.equal(tf.memory().numTensors, before, 'nothing is left behind');
  const difference = maxDifference(given, expected);
  t.ok(difference > 0 && difference < 0.3, `logits move by ${difference}`);
  t.equal(classOf(given), classOf(expected));
  x.dispose();
  float.model.dispose();
  int8.model.dispose();
});

const classOf = (logits: Float32Array) => logits.indexOf(Math.max(...logits));

t.test('a language model: texts and their continuation', async (t) => {
  const scores = [];
  for (const quantize of ['none', 'int8'] as const) {
    const model = await GrootL.load(await convertedFolder('grootl/grootl_tiny', { quantize }));
    const { tokens } = await model.generate('The maintainer', { maxTokens: 6 });
    const { logprob } = await model.score('The maintainer', ' of the');
    scores.push({ tokens, logprob });
    model.dispose();
  }
  t.same(scores[1].tokens, scores[0].tokens);
  const off = Math.abs(scores[1].logprob - scores[0].logprob);
  t.ok(off > 0 && off < 0.3, `the probability moves by ${off}`);
});

t.test('values that are not finite are refused', async (t) => {
  const graph = new GraphBuilder();
  const x = graph.placeholder('x', [-1, 4, 4, 16]);
  const weight = { shape: [1, 1, 16, 32], dtype: 'float32', quantizable: true } as const;
  const read = async () => new Float32Array(512).fill(Number.NaN, 5, 6);
  graph.node('Conv2D', 'y', [x, graph.constant('layer.weight', { ...weight, read })], {
    ...{
      strides: ints([1, 1, 1, 1]),
      dilations: ints([1, 1, 1, 1]),
      explicit_paddings: ints(new Array(8).fill(0)),
    },
    padding: text('EXPLICIT'),
  });
  await t.rejects(writeModel(graph, new MemorySink(), { quantize: 'int8' }), {
    code: 'values',
    message: 'the tensor "layer.weight" has values that are not finite and cannot be stored as int8',
  });
});
