/** The page of `benchPage`: GrootV-T on one thread. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { ready } from '../wasm/index.js';
import { benchPrediction } from './prediction.js';
import { GROOTV_T, randomGrootV } from './random_model.js';

window.measure = async () => {
  setWasmPaths('/tfjs-wasm/'); // from the server of the page
  await tf.setBackend('wasm');
  await ready();
  return benchPrediction(await randomGrootV(), await randomGrootV(GROOTV_T, 'int8'));
};
