/** LayerNormalization in two draws: moments of every row, then the normalisation. */
import { LayerNormalization } from '../../plugin/ops/layer_normalization.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, view3D } from './packed.js';
import { momentsProgram } from './programs/moments_program.js';
import { normalizeProgram } from './programs/normalize_program.js';

registerWebglKernel(LayerNormalization, ({ inputs: { x, gamma, beta }, attributes, draw }) => {
  const shape = as3D(x.shape);
  const moments = draw(momentsProgram(shape), [view3D(x)], [shape[2], attributes.epsilon]);
  return [draw(normalizeProgram(shape), [view3D(x), moments, gamma, beta])];
});
