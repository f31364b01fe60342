/** Tests gradients of tfjs's convolutions: ours on wasm against tfjs's own on cpu. For other backends see gpu. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { BACKENDS, onBackend } from '../testing/backends.js';
import { checkConvolutionGradients } from '../testing/convolution_gradients.js';

for (const backend of BACKENDS) {
  t.test(backend, (t) =>
    onBackend(backend, () => checkConvolutionGradients(t, { bound: 4e-6, dilated: backend === 'wasm' })),
  );
}

t.test('what a kernel cannot take', async (t) => {
  await onBackend('wasm', () => {
    tf.tidy(() => {
      const x = tf.zeros([1, 3, 4, 4]) as tf.Tensor4D;
      const filter = tf.zeros([1, 1, 3, 2]) as tf.Tensor4D;
      const run = (name: string, inputs: object, attributes: object) =>
        tf.engine().runKernel(name, inputs as tf.NamedTensorMap, attributes as tf.NamedAttrMap);
      t.throws(
        () =>
          run(
            tf.Conv2DBackpropFilter,
            { x, dy: x },
            { strides: 1, pad: 0, dataFormat: 'NCHW', filterShape: filter.shape },
          ),
        { message: 'tfjs-grootvl/wasm: got a convolution with dataFormat NCHW, expected NHWC' },
      );
      t.throws(
        () =>
          run(
            tf.DepthwiseConv2dNativeBackpropFilter,
            { x, dy: x },
            { strides: 1, pad: 0, filterShape: [1, 1, 4, 2] },
          ),
        { message: 'tfjs-grootvl/wasm: dy of a convolution is [1,3,4,4], expected [1,3,4,8]' },
      );
    });
  });
});
