/** Gelu and Silu, and their gradients: one thread per element. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Gelu, GeluGradient, Silu, SiluGradient } from '../../plugin/ops/activations.js';
import { elements, floats } from './elements.js';
import { GELU, GELU_GRADIENT, SIGMOID, SILU } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';

for (const [op, functions, body] of [
  [Gelu, GELU, 'y[i] = gelu(x[i]);'],
  [Silu, SILU, 'y[i] = silu(x[i]);'],
] as const) {
  const run = elements(op.name, () => ({ reads: floats('x'), writes: floats('y'), functions, body }));
  registerWebgpuKernel<typeof Gelu>(op, ({ inputs, outputs, shapes, ...running }) => {
    run(running, { bind: { ...inputs, ...outputs }, size: sizeOf(shapes.x) });
  });
}

const SILU_GRADIENT = 'let gate = sigmoid(x[i]); dx[i] = dy[i] * gate * (1.0 + x[i] * (1.0 - gate));';

for (const [op, functions, body] of [
  [GeluGradient, GELU_GRADIENT, 'dx[i] = dy[i] * gelu_gradient(x[i]);'],
  [SiluGradient, SIGMOID, SILU_GRADIENT],
] as const) {
  const run = elements(op.name, () => ({ reads: floats('x', 'dy'), writes: floats('dx'), functions, body }));
  registerWebgpuKernel<typeof GeluGradient>(op, ({ inputs, outputs, shapes, ...running }) => {
    run(running, { bind: { ...inputs, ...outputs }, size: sizeOf(shapes.x) });
  });
}
