/** The same as classify.js on an NVIDIA GPU: node cuda.js cat.jpg dog.jpg */
import * as tf from '@tensorflow/tfjs-core';
import { GrootV } from 'tfjs-grootvl';
import { ready } from 'tfjs-grootvl/cuda';
import { fileSystem } from 'tfjs-grootvl/node';

await ready(); // an error that says what is missing and how to fix it, where there is no GPU
await tf.setBackend('cuda');
const model = await GrootV.load(fileSystem('model'));
const images = process.argv.slice(2);
const predictions = await model.classify(images, { top: 3 });

for (const [i, row] of predictions.entries()) {
  const text = row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`);
  console.log(`${images[i]}: ${text.join(', ')}`);
}
