/** Convolutions of image networks: our kernels against tfjs's own. */
import * as tf from '@tensorflow/tfjs-core';
import { Convolution } from '../plugin/ops/convolution.js';
import { runOp } from '../plugin/ops/kernels.js';
import { medianTimes, type Timing } from './timing.js';

interface Size {
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Side of the filter. */
  readonly side: number;
  readonly stride: number;
}

/** Those of segmenters and detectors, and of GrootV's stem and downsampling layers. */
const SIZES: readonly Size[] = [
  { height: 128, width: 128, inputs: 128, outputs: 128, side: 3, stride: 1 },
  { height: 32, width: 32, inputs: 256, outputs: 256, side: 3, stride: 1 },
  { height: 56, width: 56, inputs: 96, outputs: 192, side: 3, stride: 2 },
  { height: 56, width: 56, inputs: 80, outputs: 160, side: 3, stride: 2 },
  { height: 224, width: 224, inputs: 3, outputs: 40, side: 3, stride: 2 },
  { height: 64, width: 64, inputs: 320, outputs: 256, side: 1, stride: 1 },
];

export interface ConvolutionTime {
  readonly size: string;
  /** GFLOP/s of our kernel and of tfjs's, both counted as sums of products. */
  readonly ours: number;
  readonly builtIn: number;
}

/** Measures every size on the current backend. */
export async function benchConvolutions(
  sizes: readonly Size[] = SIZES,
  timing?: Timing,
): Promise<ConvolutionTime[]> {
  const times: ConvolutionTime[] = [];
  for (const { height, width, inputs, outputs, side, stride } of sizes) {
    const x = tf.randomNormal<tf.Rank.R4>([1, height, width, inputs]);
    const filter = tf.randomNormal<tf.Rank.R4>([side, side, inputs, outputs]);
    const bias = tf.randomNormal<tf.Rank.R1>([outputs]);
    const around = side >> 1;
    const pad: tf.backend_util.ExplicitPadding = [
      [0, 0],
      [around, around],
      [around, around],
      [0, 0],
    ];
    const attributes = { strides: [stride, stride], padding: [around, around, around, around] };
    const calls = {
      ours: () => tf.dispose(runOp(Convolution, { x, filter, bias }, attributes)),
      builtIn: () => tf.fused.conv2d({ x, filter, bias, strides: stride, pad }).dispose(),
    };
    const { ours, builtIn } = await medianTimes(calls, timing);
    tf.dispose([x, filter, bias]);
    const positions = Math.ceil(height / stride) * Math.ceil(width / stride);
    const gigaflops = (ms: number) => (2 * positions * side * side * inputs * outputs) / ms / 1e6;
    times.push({
      size: `${height}x${width}x${inputs} -> ${outputs}, ${side}x${side}${stride > 1 ? `, stride ${stride}` : ''}`,
      ours: gigaflops(ours),
      builtIn: gigaflops(builtIn),
    });
  }
  return times;
}
