/** Gradients of tfjs's own convolutions, for which its wasm backend lacks kernels. Channels last. */
import {
  backend_util,
  Conv2DBackpropFilter,
  type Conv2DBackpropFilterAttrs,
  DepthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput,
  type NamedAttrMap,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { writeWindow } from './convolution_window.js';
import type { WasmFunctions } from './functions.js';
import { type BuiltInCall, registerBuiltInKernel } from './kernels.js';

type Call = BuiltInCall<WasmFunctions>;
type Shape4D = [number, number, number, number];

registerBuiltInKernel<WasmFunctions>(Conv2DBackpropFilter, (call) => {
  const { x, dy } = call.inputs as Record<string, TensorInfo>;
  const { filterShape } = call.attrs as unknown as Conv2DBackpropFilterAttrs;
  const window = windowOf(call, x.shape, filterShape, dy, false);
  const dFilter = call.output({ shape: [...filterShape], dtype: 'float32' });
  const { functions, input, scratch } = call;
  const space = scratch(functions.convolution_filter_scratch(window));
  functions.convolution_filter_gradient(input(x), input(dy), dFilter, space, window);
});

registerBuiltInKernel<WasmFunctions>(DepthwiseConv2dNativeBackpropInput, (call) => {
  const { dy, filter } = call.inputs as Record<string, TensorInfo>;
  const { inputShape } = call.attrs as { inputShape: number[] };
  const window = windowOf(call, inputShape, filter.shape, dy, true);
  const dx = call.output({ shape: [...inputShape], dtype: 'float32' });
  const { functions, input, scratch } = call;
  const space = scratch(functions.depthwise_input_scratch(window));
  functions.depthwise_input_gradient(input(dy), input(filter), dx, space, window);
});

registerBuiltInKernel<WasmFunctions>(DepthwiseConv2dNativeBackpropFilter, (call) => {
  const { x, dy } = call.inputs as Record<string, TensorInfo>;
  const { filterShape } = call.attrs as { filterShape: number[] };
  const window = windowOf(call, x.shape, filterShape, dy, true);
  const dFilter = call.output({ shape: [...filterShape], dtype: 'float32' });
  const { functions, input } = call;
  functions.depthwise_filter_gradient(input(x), input(dy), dFilter, window);
});

interface Attributes {
  readonly strides: number | [number, number];
  readonly pad: 'same' | 'valid' | number | backend_util.ExplicitPadding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  /** For depthwise convolutions; tfjs rejects gradients of other dilated ones. */
  readonly dilations?: number | [number, number];
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/**
 * Returns the address of the sizes of a convolution, in the format of convolution_gradients.cc.
 * @throws {Error} for channels first, and if the shape of the output's gradient differs from that of the output.
 */
function windowOf(
  call: Call,
  inShape: readonly number[],
  filterShape: readonly number[],
  dy: TensorInfo,
  isDepthwise: boolean,
): number {
  const {
    strides,
    pad,
    dataFormat = 'NHWC',
    dilations = 1,
    dimRoundingMode,
  } = call.attrs as NamedAttrMap & Attributes;
  if (dataFormat !== 'NHWC' && !isDepthwise) {
    throw new Error(`tfjs-grootvl/wasm: got a convolution with dataFormat ${dataFormat}, expected NHWC`);
  }
  const info = backend_util.computeConv2DInfo(
    inShape as Shape4D,
    filterShape as Shape4D,
    strides,
    isDepthwise ? dilations : 1,
    pad,
    dimRoundingMode,
    isDepthwise,
  );
  if (`${dy.shape}` !== `${info.outShape}`) {
    throw new Error(`tfjs-grootvl/wasm: dy of a convolution is [${dy.shape}], expected [${info.outShape}]`);
  }
  return writeWindow(call, info);
}
