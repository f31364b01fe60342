/** Gelu and Silu in one draw each. */
import { Gelu, Silu } from '../../plugin/ops/activations.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, view3D } from './packed.js';
import { ActivationProgram } from './programs/activation_program.js';

registerWebglKernel(Gelu, ({ inputs: { x }, draw }) => [
  draw(new ActivationProgram(as3D(x.shape), 'gelu'), [view3D(x)]),
]);

registerWebglKernel(Silu, ({ inputs: { x }, draw }) => [
  draw(new ActivationProgram(as3D(x.shape), 'silu'), [view3D(x)]),
]);
