/** The page of `benchPage`: GrootV-T, matrix products and convolutions on one thread. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { ready } from '../wasm/index.js';
import { benchConvolutions } from './convolutions.js';
import type { PageTimes } from './in_page.js';
import { benchProducts } from './matrix_products.js';
import { benchPrediction } from './prediction.js';
import { GROOTV_T, randomGrootV } from './random_model.js';

window.measure = async (): Promise<PageTimes> => {
  setWasmPaths('/tfjs-wasm/'); // from the server of the page
  await tf.setBackend('wasm');
  await ready();
  return {
    ...(await benchPrediction(await randomGrootV(), await randomGrootV(GROOTV_T, 'int8'))),
    products: await benchProducts(),
    convolutions: await benchConvolutions(),
  };
};
