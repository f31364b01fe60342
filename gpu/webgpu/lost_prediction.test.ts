/** Tests a device that is lost during predictions (computed, recorded and replayed), and a new one. */
import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import t from 'tap';
import { randomGrootVArtifacts } from '../../bench/random_model.js';
import { LoadedModel } from '../../plugin/models/loaded_model.js';
import { WebgpuDeviceLostError } from './index.js';
import { NO_ADAPTER, startInNode } from './testing/node_device.js';

const SIZES = { channels: 8, depths: [1, 1], mlpRatio: 2, layerScale: false, classes: 5 };
const artifacts = await randomGrootVArtifacts(SIZES);

async function predict(model: LoadedModel): Promise<number[]> {
  const logits = tf.tidy(() => model.predict(tf.fill([1, 32, 32, 3], 7)) as tf.Tensor);
  const values = [...(await logits.data())];
  logits.dispose();
  return values;
}

if (!(await startInNode())) t.test('losses', { skip: NO_ADAPTER }, async () => {});
else {
  const expected = await predict(await LoadedModel.from('a model', artifacts));
  for (const before of process.env.GROOTVL_LONG ? [0, 1, 3] : [3]) {
    t.test(`after ${before} predictions`, async (t) => {
      const model = await LoadedModel.from('a model', artifacts);
      for (let i = 0; i < before; i++) t.same(await predict(model), expected);
      const { device } = tf.backend() as WebGPUBackend;
      const waiting = predict(model);
      device.destroy();
      await t.rejects(waiting, WebgpuDeviceLostError);
      await t.rejects(
        predict(model),
        { code: 'DEVICE_LOST', message: /startWebgpu\(\)/ },
        'and the next one',
      );
      await startInNode();
      t.same(await predict(await LoadedModel.from('a model', artifacts)), expected, 'on a new device');
    });
  }
}
