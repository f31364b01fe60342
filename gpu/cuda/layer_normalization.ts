/** LayerNormalization: layer_normalization.cu. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { LayerNormalization } from '../../plugin/ops/layer_normalization.js';
import { Float32 } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { gridOfRows } from './sizes.js';

registerCudaKernel(
  LayerNormalization,
  ({ inputs: { x, gamma, beta }, outputs: { y }, shapes, attributes, call }) => {
    const rows = rowsOf(shapes.x);
    const epsilon = new Float32(attributes.epsilon);
    call.launch('layer_normalization', gridOfRows(rows), x, gamma, beta, y, rows, shapes.gamma[0], epsilon);
  },
);
