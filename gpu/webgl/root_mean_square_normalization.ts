/** RootMeanSquareNormalization in two draws: the scale of every row, then its use. */
import { RootMeanSquareNormalization } from '../../plugin/ops/root_mean_square_normalization.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, view3D } from './packed.js';
import { InverseRootMeanSquareProgram, ScaleProgram } from './programs/root_mean_square_program.js';

registerWebglKernel(RootMeanSquareNormalization, ({ inputs: { x, gamma }, attributes, draw }) => {
  const shape = as3D(x.shape);
  const uniforms = [shape[2], attributes.epsilon];
  const scale = draw(new InverseRootMeanSquareProgram(shape), [view3D(x)], uniforms);
  return [draw(new ScaleProgram(shape), [view3D(x), scale, gamma])];
});
