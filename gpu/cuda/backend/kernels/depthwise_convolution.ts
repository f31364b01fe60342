/** Depthwise convolutions and their gradients: depthwise_convolution.cu. */
import { backend_util, type NamedAttrMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkShape } from '../arguments.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { DEPTHWISE_CHANNELS, DEPTHWISE_SLICES } from './constants.js';
import { type Epilogue, epilogueArguments } from './epilogue.js';
import { type ConvolutionAttributes, registerConvolution, type Shape4D } from './forward_convolution.js';
import { sharesOf, sumShares } from './matrix_product.js';
import { areFloats, isEmpty, outPositions, type WindowInfo, windowArgument, windowOf } from './window.js';

registerConvolution('DepthwiseConv2dNative', 'FusedDepthwiseConv2D', infoOf, depthwiseConvolution);

registerBuiltInKernel('DepthwiseConv2dNativeBackpropInput', ({ inputs, attrs, call, onCpu }) => {
  const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
  const info = infoOf(call, attrs.inputShape as number[], filter.shape, attrs);
  checkShape(call.op, 'dy', dy.shape, info.outShape);
  if (!areFloats(dy, filter) || isEmpty(info)) return onCpu();
  const dx = call.output(info.inShape, 'float32');
  const size = util.sizeFromShape(info.inShape);
  const given = [call.input(dy), call.input(filter), dx, size, windowArgument(info)] as const;
  call.launch('depthwise_input_gradient', gridOf(size), ...given, multiplierOf(info));
  return dx;
});

/** Minimum positions per block of `depthwise_filter_gradient`. */
const SHORTEST_SHARE = 64;
const MOST_BLOCKS = 65_535;

registerBuiltInKernel('DepthwiseConv2dNativeBackpropFilter', ({ inputs, attrs, call, onCpu }) => {
  const { x, dy } = inputs as Record<'x' | 'dy', TensorInfo>;
  const info = infoOf(call, x.shape, attrs.filterShape as number[], attrs);
  checkShape(call.op, 'dy', dy.shape, info.outShape);
  if (!areFloats(x, dy) || isEmpty(info)) return onCpu();
  const dFilter = call.output(info.filterShape, 'float32');
  const size = util.sizeFromShape(info.filterShape);
  const across = Math.ceil(info.outChannels / DEPTHWISE_CHANNELS);
  const elements = info.filterHeight * info.filterWidth;
  const { shares, terms } = sharesOf(across * elements, outPositions(info), SHORTEST_SHARE);
  const parts = shares === 1 ? dFilter : call.scratch(4 * size * shares);
  call.launch(
    'depthwise_filter_gradient',
    {
      blocks: [across, Math.min(MOST_BLOCKS, elements), shares],
      threads: DEPTHWISE_CHANNELS * DEPTHWISE_SLICES,
    },
    ...[call.input(x), call.input(dy), parts, windowArgument(info), multiplierOf(info), terms],
  );
  if (shares > 1) sumShares(call, parts, dFilter, size, info.outChannels, shares);
  return dFilter;
});

function depthwiseConvolution(
  call: KernelCall,
  x: TensorInfo,
  filter: TensorInfo,
  info: WindowInfo,
  epilogue: Epilogue,
): DeviceTensor {
  const y = call.output(info.outShape, 'float32');
  const size = util.sizeFromShape(info.outShape);
  const given = [call.input(x), call.input(filter), y, size, windowArgument(info)] as const;
  const multiplier = multiplierOf(info);
  const after = epilogueArguments(epilogue);
  if (multiplier === 1 && info.outChannels % 4 === 0) {
    call.launch('depthwise_convolution_fours', gridOf(size / 4), ...given, ...after);
  } else {
    call.launch('depthwise_convolution', gridOf(size), ...given, multiplier, ...after);
  }
  return y;
}

/** tfjs uses channels last, whatever `dataFormat` says. */
function infoOf(
  call: KernelCall,
  inShape: readonly number[],
  filterShape: readonly number[],
  attrs: NamedAttrMap,
): WindowInfo {
  const { strides, pad, dilations, dimRoundingMode } = attrs as object as ConvolutionAttributes;
  const spread = dilations ?? 1;
  util.assert(
    backend_util.eitherStridesOrDilationsAreOne(strides, spread),
    () =>
      'Error in depthwiseConv2d: Either strides or dilations must be 1. ' +
      `Got strides ${strides} and dilations '${spread}'`,
  );
  const info = windowOf(call, { x: inShape, filter: filterShape }, () =>
    backend_util.computeConv2DInfo(
      inShape as Shape4D,
      filterShape as Shape4D,
      strides,
      spread,
      pad,
      dimRoundingMode,
      true,
    ),
  );
  checkShape(call.op, 'filter', filterShape, [undefined, undefined, info.inChannels, undefined]);
  return info;
}

/** Outputs per channel. */
function multiplierOf({ inChannels, outChannels }: WindowInfo): number {
  return outChannels / inChannels;
}
