/** The model: it is loaded and used here. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import * as tf from '@tensorflow/tfjs-core';
import { GrootV } from 'tfjs-grootvl';
import { ready } from 'tfjs-grootvl/wasm';

let model;

/** What the page may ask; it shows the answer. */
const requests = {
  async load(url) {
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plain,
      'tfjs-backend-wasm-simd.wasm': simd,
      'tfjs-backend-wasm-threaded-simd.wasm': threaded,
    });
    await tf.setBackend('wasm');
    await ready();
    model = await GrootV.load(url);
    return 'Choose images.';
  },

  async classify(images) {
    const predictions = await model.classify(images, { top: 3 });
    return predictions.map((row, i) => `${images[i].name}: ${text(row)}`).join('\n');
  },
};

function text(row) {
  return row.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(2)} %`).join(', ');
}

self.onmessage = async ({ data: { request, argument } }) => {
  try {
    postMessage({ request, result: await requests[request](argument) });
  } catch (error) {
    postMessage({ request, error: error.message });
  }
};
