/** BatchNormalization and its gradients on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { BatchNormalization, BatchNormalizationGradient } from '../plugin/ops/batch_normalization.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(
  BatchNormalization,
  ({ inputs: { x, gamma, beta }, outputs, shapes, attributes: { epsilon }, functions, scratch }) => {
    const { y, mean, variance } = outputs;
    const [channels] = shapes.gamma;
    const sizes = [rowsOf(shapes.x), channels, epsilon] as const;
    functions.batch_normalization(x, gamma, beta, y, mean, variance, scratch(4 * channels), ...sizes);
  },
);

registerWasmKernel(
  BatchNormalizationGradient,
  ({ inputs: { x, gamma, dy }, outputs, shapes, attributes: { epsilon }, functions, scratch }) => {
    const { dx, dgamma, dbeta } = outputs;
    const [channels] = shapes.gamma;
    const sizes = [rowsOf(shapes.x), channels, epsilon] as const;
    functions.batch_normalization_gradient(x, gamma, dy, dx, dgamma, dbeta, scratch(16 * channels), ...sizes);
  },
);
