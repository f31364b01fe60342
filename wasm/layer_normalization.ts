/** LayerNormalization on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { LayerNormalization } from '../plugin/ops/layer_normalization.js';
import { registerWasmKernel } from './kernels.js';

/** Of layer_normalization.cc. */
interface Functions {
  layer_normalization(
    x: number,
    gamma: number,
    beta: number,
    y: number,
    rows: number,
    channels: number,
    epsilon: number,
  ): void;
}

registerWasmKernel<typeof LayerNormalization, Functions>(
  LayerNormalization,
  ({ inputs: { x, gamma, beta }, outputs: { y }, shapes, attributes, functions }) => {
    const rows = rowsOf(shapes.x);
    functions.layer_normalization(x, gamma, beta, y, rows, shapes.gamma[0], attributes.epsilon);
  },
);
