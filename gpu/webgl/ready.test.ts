/** Tests the errors of `ready()` without WebGL, in Node, where the backend would not register itself either. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { ready } from './index.js';

t.test('no backend is imported', async (t) => {
  await t.rejects(ready(), { message: /no backend 'webgl': import '@tensorflow\/tfjs-backend-webgl'/ });
});

t.test('the backend does not start', async (t) => {
  tf.registerBackend('webgl', () => {
    throw new Error('WebGL is not supported on this device');
  });
  const expected = { message: /does not start here: WebGL is not supported on this device; use .*'wasm'/ };
  await t.rejects(ready(), expected);
  const { warn } = console;
  console.warn = () => {};
  t.notOk(await tf.setBackend('webgl'));
  console.warn = warn;
  await t.rejects(ready(), expected, 'after setBackend gave false');
});
