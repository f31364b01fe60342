/** Convolution and its gradients on WebAssembly. */
import { backend_util } from '@tensorflow/tfjs-core';
import {
  Convolution,
  type ConvolutionAttributes,
  ConvolutionFilterGradient,
  ConvolutionInputGradient,
} from '../plugin/ops/convolution.js';
import type { OpDeclaration } from '../plugin/ops/declaration.js';
import type { FilterGradientFunctions } from './convolution_gradients.js';
import { writeWindow } from './convolution_window.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';

/** Of convolution.cc. */
interface Functions extends FilterGradientFunctions {
  convolution_scratch(window: number): number;
  convolution(x: number, filter: number, bias: number, y: number, scratch: number, window: number): void;
  convolution_input_scratch(window: number): number;
  convolution_input_gradient(dy: number, filter: number, dx: number, scratch: number, window: number): void;
}

registerWasmKernel<typeof Convolution, Functions>(Convolution, (args) => {
  const { inputs, outputs, shapes, functions, scratch } = args;
  const window = windowOf(args, shapes.x, shapes.filter);
  const space = scratch(functions.convolution_scratch(window));
  functions.convolution(inputs.x, inputs.filter, inputs.bias, outputs.y, space, window);
});

registerWasmKernel<typeof ConvolutionInputGradient, Functions>(ConvolutionInputGradient, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch } = args;
  const { height, width } = attributes;
  const window = windowOf(args, [shapes.dy[0], height, width, shapes.filter[2]], shapes.filter);
  const space = scratch(functions.convolution_input_scratch(window));
  functions.convolution_input_gradient(inputs.dy, inputs.filter, outputs.dx, space, window);
});

registerWasmKernel<typeof ConvolutionFilterGradient, Functions>(ConvolutionFilterGradient, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch } = args;
  const { rows, columns } = attributes;
  const window = windowOf(args, shapes.x, [rows, columns, shapes.x[3], shapes.dy[3]]);
  const space = scratch(functions.convolution_filter_scratch(window));
  functions.convolution_filter_gradient(inputs.x, inputs.dy, outputs.dfilter, space, window);
});

type Shape4D = [number, number, number, number];

function windowOf(
  args: Pick<WasmKernelArguments<OpDeclaration, Functions>, 'memory' | 'scratch'> & {
    readonly attributes: ConvolutionAttributes;
  },
  image: readonly number[],
  filter: readonly number[],
): number {
  const { strides, padding } = args.attributes;
  const pad = [[0, 0], padding.slice(0, 2), padding.slice(2), [0, 0]] as backend_util.ExplicitPadding;
  const sizes = [[...image], [...filter]] as [Shape4D, Shape4D];
  return writeWindow(
    args,
    backend_util.computeConv2DInfo(...sizes, [...strides] as [number, number], 1, pad),
  );
}
