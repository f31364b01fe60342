/** LayerNormalization and its gradient on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { LayerNormalization, LayerNormalizationGradient } from '../plugin/ops/layer_normalization.js';
import { registerWasmKernel } from './kernels.js';

/** Of layer_normalization.cc and layer_normalization_gradient.cc. */
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
  layer_normalization_gradient(
    x: number,
    gamma: number,
    dy: number,
    dx: number,
    dgamma: number,
    dbeta: number,
    scratch: number,
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

registerWasmKernel<typeof LayerNormalizationGradient, Functions>(
  LayerNormalizationGradient,
  ({ inputs: { x, gamma, dy }, outputs, shapes, attributes, functions, scratch }) => {
    const { dx, dgamma, dbeta } = outputs;
    const [channels] = shapes.gamma;
    const [space, rows] = [scratch(8 * channels), rowsOf(shapes.x)];
    const { epsilon } = attributes;
    functions.layer_normalization_gradient(x, gamma, dy, dx, dgamma, dbeta, space, rows, channels, epsilon);
  },
);
