/** Says what is in images: node classify.js cat.jpg dog.jpg */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { GrootV } from 'tfjs-grootvl';
import { fileSystem } from 'tfjs-grootvl/node';
import { ready } from 'tfjs-grootvl/wasm';

await tf.setBackend('wasm');
await ready();
const model = await GrootV.load(fileSystem('model'));
const images = process.argv.slice(2); // also URLs, the bytes of files, tensors...
const predictions = await model.classify(images, { top: 3 });

for (const [i, row] of predictions.entries()) {
  const text = row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`);
  console.log(`${images[i]}: ${text.join(', ')}`);
}
