/** Says what is in the images that a person picks. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { GrootV } from 'tfjs-grootvl';
import { ready } from 'tfjs-grootvl/wasm';

const [input, output] = ['input', 'pre'].map((name) => document.querySelector(name));

async function start() {
  setWasmPaths('node_modules/@tensorflow/tfjs-backend-wasm/dist/'); // where you serve the .wasm files of this folder
  await tf.setBackend('wasm');
  await ready(); // an error that says what is missing, if something is
  const model = await GrootV.load('model/model.json');

  async function classify() {
    const images = [...input.files]; // also <img>, <canvas>, <video>, URLs, tensors...
    const predictions = await model.classify(images, { top: 3 });
    output.textContent = predictions.map((row, i) => `${images[i].name}: ${text(row)}`).join('\n');
  }
  input.addEventListener('change', () => attempt(classify));
  input.disabled = false;
  output.textContent = 'Choose images.';
}

function text(row) {
  return row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`).join(', ');
}

/** Shows what goes wrong. */
async function attempt(action) {
  await action().catch(({ message }) => {
    output.textContent = message;
  });
}

attempt(start);
