/**
 * Trains the learnable tree filter of learnable_filter.ts on wasm, and prints its losses.
 *
 *   node --import=tsx examples/tree-filter/train.ts [steps]
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { ready } from '../../wasm/index.js';
import { sceneOf, train } from './learnable_filter.js';

await tf.setBackend('wasm');
await ready();
const losses = await train(sceneOf(1), Number(process.argv[2] ?? 60));
for (const [step, loss] of losses.entries()) console.log(`step ${step}: loss ${loss.toFixed(4)}`);
