/** Segmenters whose BatchNorms are not folded: they compute the same, and can be trained. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted } from '../../testing/models.js';
import { crossEntropy, Momentum, trainable } from './index.js';

t.test('a segmenter with its BatchNorms apart', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const [folded, { model }] = [
      await loadConverted('dense/upernet_tiny.pth'),
      await loadConverted('dense/upernet_tiny.pth', { batchNorm: 'keep' }),
    ];
    const image = tf.randomUniform([2, 64, 64, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
    const [expected, given] = [folded.model, model].map((each) =>
      tf.tidy(() => (each.execute({ image }, 'logits') as tf.Tensor).dataSync()),
    );
    folded.model.dispose();
    t.ok(maxDifference(given, expected) < 1e-4, `logits ${maxDifference(given, expected)}`);

    const trained = trainable(model);
    const labels = tf.tidy(() => tf.fill([2, 16, 16], 1, 'int32'));
    const optimizer = new Momentum({ learningRate: 1e-2 });
    const losses: number[] = [];
    for (const checkpointing of [false, true]) {
      const { value, logits, gradients } = trained.gradients(
        image,
        (logits) => crossEntropy(logits, labels),
        {
          checkpointing,
        },
      );
      const missing = trained.variables.filter(({ name }) => !gradients[name]);
      t.same(missing, [], 'every parameter has a gradient');
      for (const [name, gradient] of Object.entries(gradients)) {
        if (!gradient.dataSync().every(Number.isFinite)) t.fail(`the gradient of ${name}`);
      }
      optimizer.applyGradients(gradients);
      losses.push(value.dataSync()[0]);
      tf.dispose([value, logits, gradients]);
    }
    t.ok(losses[1] < losses[0], String(losses));
    optimizer.dispose();
    trained.dispose();
    model.dispose();
    tf.dispose([image, labels]);
  });
  t.equal(leaked, 0);
});

t.test('gradients of pixels are the same on cpu and wasm', async (t) => {
  const gradients = new Map<string, Record<string, Float32Array>>();
  for (const backend of ['cpu', 'wasm'] as const) {
    const { leaked } = await onBackend(backend, async () => {
      const { model } = await loadConverted('dense/upernet_tiny.pth', { batchNorm: 'keep' });
      const trained = trainable(model);
      const image = tf.randomUniform([2, 20, 28, 3], 0, 255, 'float32', 4) as tf.Tensor4D;
      const classes = Int32Array.from({ length: 2 * 20 * 28 }, (_, i) => (i % 7 === 0 ? 255 : i % 5));
      const labels = tf.tensor3d(classes, [2, 20, 28], 'int32');
      const { value, grads } = tf.variableGrads(
        () => crossEntropy(trained.forward(image, 'resized_logits'), labels, { ignoreIndex: 255 }),
        [...trained.variables],
      );
      gradients.set(
        backend,
        Object.fromEntries(
          Object.entries(grads).map(([name, gradient]) => [name, gradient.dataSync() as Float32Array]),
        ),
      );
      tf.dispose([value, grads, image, labels]);
      trained.dispose();
      model.dispose();
    });
    t.equal(leaked, 0);
  }
  const [cpu, wasm] = [gradients.get('cpu') ?? {}, gradients.get('wasm') ?? {}];
  const names = Object.keys(cpu);
  t.same(Object.keys(wasm), names);
  const largest = (values: Float32Array) =>
    values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const all = Math.max(...names.map((name) => largest(cpu[name])));
  for (const name of names) {
    const difference = maxDifference(wasm[name], cpu[name]);
    // Sums of many terms that cancel: float32 relative to the largest gradient of all is their precision.
    const bound = 1e-3 * largest(cpu[name]) + 1e-5 * all;
    if (difference > bound) t.fail(`${name}: ${difference} of ${largest(cpu[name])}`);
  }
});
