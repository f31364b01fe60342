/** Gelu and Silu, and their gradients, on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { Gelu, GeluGradient, Silu, SiluGradient } from '../plugin/ops/activations.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

/** Approximate time per value. */
const NANOSECONDS = 1;

const ACTIVATIONS = [
  [Gelu, 'gelu_all'],
  [Silu, 'silu_all'],
] as const;

for (const [op, name] of ACTIVATIONS) {
  registerWasmKernel(op, ({ inputs: { x }, outputs: { y }, shapes, inParts }) =>
    inParts(name, partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
      ...([x + 4 * first, y + 4 * first, count] as const),
    ]),
  );
}

const GRADIENTS = [
  [GeluGradient, 'gelu_gradient'],
  [SiluGradient, 'silu_gradient'],
] as const;

for (const [op, name] of GRADIENTS) {
  registerWasmKernel(op, ({ inputs: { x, dy }, outputs: { dx }, shapes, inParts }) =>
    inParts(name, partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
      ...([x + 4 * first, dy + 4 * first, dx + 4 * first, count] as const),
    ]),
  );
}
