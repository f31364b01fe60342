/** Gelu and Silu on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { Gelu, GeluGradient, Silu, SiluGradient } from '../plugin/ops/activations.js';
import { registerWasmKernel } from './kernels.js';

/** Of activations.cc. */
interface Functions {
  gelu_all(x: number, y: number, size: number): void;
  silu_all(x: number, y: number, size: number): void;
  gelu_gradient(x: number, dy: number, dx: number, size: number): void;
  silu_gradient(x: number, dy: number, dx: number, size: number): void;
}

registerWasmKernel<typeof Gelu, Functions>(Gelu, ({ inputs, outputs, shapes, functions }) => {
  functions.gelu_all(inputs.x, outputs.y, sizeOf(shapes.x));
});

registerWasmKernel<typeof Silu, Functions>(Silu, ({ inputs, outputs, shapes, functions }) => {
  functions.silu_all(inputs.x, outputs.y, sizeOf(shapes.x));
});

registerWasmKernel<typeof GeluGradient, Functions>(
  GeluGradient,
  ({ inputs: { x, dy }, outputs: { dx }, shapes, functions }) => {
    functions.gelu_gradient(x, dy, dx, sizeOf(shapes.x));
  },
);

registerWasmKernel<typeof SiluGradient, Functions>(
  SiluGradient,
  ({ inputs: { x, dy }, outputs: { dx }, shapes, functions }) => {
    functions.silu_gradient(x, dy, dx, sizeOf(shapes.x));
  },
);
