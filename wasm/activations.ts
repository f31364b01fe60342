/** Gelu and Silu on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { Gelu, Silu } from '../plugin/ops/activations.js';
import { registerWasmKernel } from './kernels.js';

/** Of activations.cc. */
interface Functions {
  gelu_all(x: number, y: number, size: number): void;
  silu_all(x: number, y: number, size: number): void;
}

registerWasmKernel<typeof Gelu, Functions>(Gelu, ({ inputs, outputs, shapes, functions }) => {
  functions.gelu_all(inputs.x, outputs.y, sizeOf(shapes.x));
});

registerWasmKernel<typeof Silu, Functions>(Silu, ({ inputs, outputs, shapes, functions }) => {
  functions.silu_all(inputs.x, outputs.y, sizeOf(shapes.x));
});
