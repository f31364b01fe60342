/** The matrix products of GrootV-T: our packed kernel against tfjs's own matMul. */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../plugin/index.js';
import { medianTimes } from './timing.js';

/** Rows, inputs, outputs at 224 x 224. */
const SHAPES: readonly (readonly [rows: number, inputs: number, outputs: number])[] = [
  [3136, 80, 320],
  [3136, 320, 80],
  [3136, 160, 80],
  [784, 160, 640],
  [784, 640, 160],
  [196, 320, 1280],
  [196, 1280, 320],
  [49, 640, 2560],
  [48, 2560, 640],
];

export interface ProductTime {
  readonly shape: string;
  /** GFLOP/s of our kernel, and of tfjs's fused matMul with bias. */
  readonly linear: number;
  readonly matMul: number;
}

/** Measures every shape on the current backend. */
export async function benchProducts(): Promise<ProductTime[]> {
  const times: ProductTime[] = [];
  for (const [rows, inputs, outputs] of SHAPES) {
    const a = tf.randomNormal<tf.Rank.R2>([rows, inputs]);
    const b = tf.randomNormal<tf.Rank.R2>([inputs, outputs]);
    const bias = tf.randomNormal([outputs]);
    const { ours, builtIn } = await medianTimes({
      ours: () => linear(a, b, bias).dispose(),
      builtIn: () => tf.fused.matMul({ a, b, bias }).dispose(),
    });
    tf.dispose([a, b, bias]);
    const gigaflops = (ms: number) => (2 * rows * inputs * outputs) / ms / 1e6;
    times.push({
      shape: `${rows}x${inputs}x${outputs}`,
      linear: gigaflops(ours),
      matMul: gigaflops(builtIn),
    });
  }
  return times;
}
