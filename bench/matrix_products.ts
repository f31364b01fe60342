/** The matrix products of GrootV-T: our packed kernel against tfjs's own matMul, and with 8-bit weights. */
import * as tf from '@tensorflow/tfjs-core';
import { linear, quantizedLinear } from '../plugin/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import { packedCodes } from '../plugin/ops/quantized_codes.js';
import { QuantizedLinear } from '../plugin/ops/quantized_linear.js';
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
  /** 1e9 operations per second with 8-bit weights, including rounding of the rows, if there is such a kernel. */
  readonly int8?: number;
}

/** Measures every shape on the current backend. */
export async function benchProducts(): Promise<ProductTime[]> {
  const times: ProductTime[] = [];
  const hasInt8 = hasOwnKernel(QuantizedLinear, tf.getBackend());
  for (const [rows, inputs, outputs] of SHAPES) {
    const a = tf.randomNormal<tf.Rank.R2>([rows, inputs]);
    const b = tf.randomNormal<tf.Rank.R2>([inputs, outputs]);
    const bias = tf.randomNormal([outputs]);
    const { codes, scales } = quantized(inputs, outputs);
    const { ours, builtIn, int8 } = await medianTimes({
      ours: () => linear(a, b, bias).dispose(),
      builtIn: () => tf.fused.matMul({ a, b, bias }).dispose(),
      int8: () => (hasInt8 ? quantizedLinear(a, codes, scales, bias).dispose() : undefined),
    });
    tf.dispose([a, b, bias, codes, scales]);
    const gigaflops = (ms: number) => (2 * rows * inputs * outputs) / ms / 1e6;
    times.push({
      shape: `${rows}x${inputs}x${outputs}`,
      linear: gigaflops(ours),
      matMul: gigaflops(builtIn),
      ...(hasInt8 && { int8: gigaflops(int8) }),
    });
  }
  return times;
}

/** Normally distributed weights, similar to trained ones: their standard deviation is a quarter of the largest value. */
function quantized(inputs: number, outputs: number): { codes: tf.Tensor2D; scales: tf.Tensor1D } {
  const weights = tf.tidy(() => tf.randomNormal([inputs, outputs], 0, 32, 'float32', 1).dataSync());
  const numbers = Int8Array.from(weights, (value) => Math.max(-127, Math.min(127, Math.round(value))));
  const codes = packedCodes(numbers, outputs);
  return {
    codes: tf.tensor2d(codes, [codes.length / outputs, outputs], 'int32'),
    scales: tf.fill([outputs], 1 / 32),
  };
}
