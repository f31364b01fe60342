/** Training of converted models: what is updated, what is kept, and that the numbers are PyTorch's. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { loadConverted } from '../../testing/models.js';
import { AdamW, trainable } from './index.js';

t.test('a model learns a batch', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const { model } = await loadConverted('grootv/grootv_nano_mnist.pth');
    const trained = trainable(model);
    const optimizer = new AdamW({ learningRate: 1e-3, weightDecay: 0.05 });
    const image = tf.randomUniform([2, 32, 32, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
    const labels = tf.tidy(() => tf.oneHot(tf.tensor1d([1, 2], 'int32'), 10));
    const losses: number[] = [];
    let tensors = 0;
    for (let step = 0; step < 4; step++) {
      const { value, logits, gradients } = trained.gradients(
        image,
        (logits) => tf.losses.softmaxCrossEntropy(labels, logits) as tf.Scalar,
      );
      optimizer.applyGradients(gradients);
      losses.push(value.dataSync()[0]);
      tf.dispose([value, logits, gradients]);
      if (step === 1) tensors = tf.memory().numTensors;
    }
    t.equal(tf.memory().numTensors, tensors, 'no tensor is left behind by a step');
    t.ok(losses[3] < losses[0], String(losses));
    optimizer.dispose();
    trained.dispose();
    model.dispose();
    tf.dispose([image, labels]);
  });
  t.equal(leaked, 0);
});
