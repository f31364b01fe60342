/** RootMeanSquareNormalization on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { RootMeanSquareNormalization } from '../plugin/ops/root_mean_square_normalization.js';
import { registerWasmKernel } from './kernels.js';

/** Of root_mean_square_normalization.cc. */
export interface NormalizationFunctions {
  root_mean_square_normalization(
    x: number,
    gamma: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
}

registerWasmKernel<typeof RootMeanSquareNormalization, NormalizationFunctions>(
  RootMeanSquareNormalization,
  ({ inputs: { x, gamma }, outputs: { y }, shapes, attributes, functions }) => {
    const [channels] = shapes.gamma;
    const rows = rowsOf(shapes.x);
    functions.root_mean_square_normalization(x, gamma, y, rows, channels, attributes.epsilon);
  },
);
