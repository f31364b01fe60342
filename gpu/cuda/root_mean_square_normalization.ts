/** RootMeanSquareNormalization: root_mean_square_normalization.cu. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { RootMeanSquareNormalization } from '../../plugin/ops/root_mean_square_normalization.js';
import { Float32 } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { gridOfRows } from './sizes.js';

registerCudaKernel(
  RootMeanSquareNormalization,
  ({ inputs: { x, gamma }, outputs: { y }, shapes, attributes, call }) => {
    const rows = rowsOf(shapes.x);
    const [channels] = shapes.gamma;
    const epsilon = new Float32(attributes.epsilon);
    call.launch('root_mean_square_normalization', gridOfRows(rows), x, gamma, y, rows, channels, epsilon);
  },
);
