/** Gelu and Silu on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { Gelu, GeluGradient, Silu, SiluGradient } from '../plugin/ops/activations.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

/** Of activations.cc. */
interface Functions {
  gelu_all(x: number, y: number, size: number): void;
  silu_all(x: number, y: number, size: number): void;
  gelu_gradient(x: number, dy: number, dx: number, size: number): void;
  silu_gradient(x: number, dy: number, dx: number, size: number): void;
}

/** About what a value takes. */
const NANOSECONDS = 1;

registerWasmKernel<typeof Gelu, Functions>(Gelu, ({ inputs: { x }, outputs: { y }, shapes, inParts }) =>
  inParts('gelu_all', partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
    ...([x + 4 * first, y + 4 * first, count] as const),
  ]),
);

registerWasmKernel<typeof Silu, Functions>(Silu, ({ inputs: { x }, outputs: { y }, shapes, inParts }) =>
  inParts('silu_all', partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
    ...([x + 4 * first, y + 4 * first, count] as const),
  ]),
);

registerWasmKernel<typeof GeluGradient, Functions>(
  GeluGradient,
  ({ inputs: { x, dy }, outputs: { dx }, shapes, inParts }) =>
    inParts('gelu_gradient', partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
      ...([x + 4 * first, dy + 4 * first, dx + 4 * first, count] as const),
    ]),
);

registerWasmKernel<typeof SiluGradient, Functions>(
  SiluGradient,
  ({ inputs: { x, dy }, outputs: { dx }, shapes, inParts }) =>
    inParts('silu_gradient', partsOf(sizeOf(shapes.x), NANOSECONDS), (first, count) => [
      ...([x + 4 * first, dy + 4 * first, dx + 4 * first, count] as const),
    ]),
);
