/** Pixels as tensors, on a backend that keeps arrays and on one that has a memory of its own. */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { memory, setBackend } from '@tensorflow/tfjs-core';
import t from 'tap';
import { pixelTensor } from './pixel_tensor.js';

const image = (first: number) => ({
  width: 3,
  height: 2,
  data: Uint8Array.from({ length: 18 }, (_, i) => first + i),
});

for (const backend of ['cpu', 'wasm']) {
  t.test(backend, async (t) => {
    await setBackend(backend);
    const before = memory().numTensors;
    const [two, one] = [pixelTensor([image(0), image(237)]), pixelTensor([image(100)])];
    t.same([two.shape, one.shape, two.dtype], [[2, 2, 3, 3], [1, 2, 3, 3], 'float32']);
    t.same([...(await two.data())], [...image(0).data, ...image(237).data]);
    t.same([...(await one.data())], [...image(100).data], 'of its own');
    one.dispose();
    two.dispose();
    t.equal(memory().numTensors, before, 'tfjs knows them');
  });
}
