/** Converts a checkpoint in memory, and says what is in images: node convert.js grootv_t.pth cat.jpg */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { GrootV } from 'tfjs-grootvl';
import { convertCheckpoint, MemorySink } from 'tfjs-grootvl/converters';
import { fileSource } from 'tfjs-grootvl/node';
import { ready } from 'tfjs-grootvl/wasm';

await tf.setBackend('wasm');
await ready();
const [checkpoint, ...images] = process.argv.slice(2);
const file = await fileSource(checkpoint); // in a page: a File, as a person picks it

const sink = new MemorySink();
await convertCheckpoint(file, sink);
const model = await GrootV.load(sink);

await file.close();
const predictions = await model.classify(images, { top: 3 });
for (const [i, row] of predictions.entries()) {
  const text = row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`);
  console.log(`${images[i]}: ${text.join(', ')}`);
}
