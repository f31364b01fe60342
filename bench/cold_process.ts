/** The process in which cold.ts measures: a typical Node program that uses the public API. */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { fileSystem } from '../node/index.js';
import { GrootV } from '../plugin/index.js';
import { ready } from '../wasm/index.js';
import { answer } from './child_process.js';
import type { ColdFigures, ColdJob } from './cold.js';
import { median, timeUntil } from './timing.js';

/** Predictions during which the engine recompiles WebAssembly with optimisation. */
const WARM_UP = 4;
const REPETITIONS = 7;

async function measure({ model: path, side }: ColdJob): Promise<ColdFigures> {
  const startMs = performance.now(); // relative to the start of the process
  const image = tf.randomUniform<tf.Rank.R3>([side, side, 3], 0, 255, 'float32', 1);
  const before = performance.now();
  const model = await GrootV.load(fileSystem(path));
  const loadMs = performance.now() - before;
  const predict = () => timeUntil(() => model.classify(image));
  const firstMs = await predict();
  for (let i = 0; i < WARM_UP; i++) await predict();
  const warm: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) warm.push(await predict());
  const warmMs = median(warm);
  return { startMs, loadMs, firstMs, warmMs, ratio: (loadMs + firstMs) / warmMs };
}

await tf.setBackend('wasm');
await ready();
await answer(measure);
