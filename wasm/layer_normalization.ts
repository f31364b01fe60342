/** LayerNormalization and its gradient on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { LayerNormalization, LayerNormalizationGradient } from '../plugin/ops/layer_normalization.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

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
  ({ inputs: { x, gamma, beta }, outputs: { y }, shapes, attributes, inParts }) => {
    const [channels] = shapes.gamma;
    const at = (address: number, row: number) => address + 4 * row * channels;
    inParts('layer_normalization', partsOf(rowsOf(shapes.x), 0.7 * channels), (row, count) => [
      ...([at(x, row), gamma, beta, at(y, row), count, channels, attributes.epsilon] as const),
    ]);
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
