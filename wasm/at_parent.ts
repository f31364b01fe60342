/** AtParent and its gradient on WebAssembly. */
import { AtParent, AtParentGradient } from '../plugin/ops/parent_vertices.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(AtParent, ({ inputs: { x, order, parent }, outputs, shapes, functions }) => {
  const [batch, vertices, channels] = shapes.x;
  functions.at_parent(x, order, parent, outputs.y, batch, vertices, channels);
});

registerWasmKernel(AtParentGradient, ({ inputs: { dy, order, parent }, outputs, shapes, functions }) => {
  const [batch, vertices, channels] = shapes.dy;
  functions.at_parent_gradient(dy, order, parent, outputs.dx, batch, vertices, channels);
});
