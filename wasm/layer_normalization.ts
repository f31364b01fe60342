/** LayerNormalization and its gradient on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { LayerNormalization, LayerNormalizationGradient } from '../plugin/ops/layer_normalization.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  LayerNormalization,
  ({ inputs: { x, gamma, beta }, outputs: { y }, shapes, attributes, inParts }) => {
    const [channels] = shapes.gamma;
    const at = (address: number, row: number) => address + 4 * row * channels;
    inParts('layer_normalization', partsOf(rowsOf(shapes.x), 0.7 * channels), (row, count) => [
      ...([at(x, row), gamma, beta, at(y, row), count, channels, attributes.epsilon] as const),
    ]);
  },
);

registerWasmKernel(
  LayerNormalizationGradient,
  ({ inputs: { x, gamma, dy }, outputs, shapes, attributes, functions, scratch }) => {
    const { dx, dgamma, dbeta } = outputs;
    const [channels] = shapes.gamma;
    const [space, rows] = [scratch(8 * channels), rowsOf(shapes.x)];
    const { epsilon } = attributes;
    functions.layer_normalization_gradient(x, gamma, dy, dx, dgamma, dbeta, space, rows, channels, epsilon);
  },
);
