/** RootMeanSquareNormalization on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { RootMeanSquareNormalization } from '../plugin/ops/root_mean_square_normalization.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  RootMeanSquareNormalization,
  ({ inputs: { x, gamma }, outputs: { y }, shapes, attributes, inParts }) => {
    const [channels] = shapes.gamma;
    const at = (address: number, row: number) => address + 4 * row * channels;
    inParts('root_mean_square_normalization', partsOf(rowsOf(shapes.x), 0.5 * channels), (row, count) => [
      ...([at(x, row), gamma, at(y, row), count, channels, attributes.epsilon] as const),
    ]);
  },
);
