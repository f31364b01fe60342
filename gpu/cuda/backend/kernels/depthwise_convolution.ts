/** Depthwise convolutions and their gradients: depthwise_convolution.cu. */
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkShape } from '../arguments.js';
import { registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { DEPTHWISE_CHANNELS, DEPTHWISE_SLICES } from './constants.js';
import { epilogueArguments } from './epilogue.js';
import {
  type ConvolutionAttributes,
  convolutionInfo,
  type InfoOf,
  registerConvolution,
} from './forward_convolution.js';
import { sharesOf, sumShares } from './matrix_product.js';
import { areFloats, isEmpty, outPositions, type WindowInfo, windowArgument } from './window.js';

const infoOf: InfoOf = (inShape, filterShape, attrs) => {
  const { strides, dilations } = attrs as object as ConvolutionAttributes;
  util.assert(
    backend_util.eitherStridesOrDilationsAreOne(strides, dilations ?? 1),
    () =>
      'Error in depthwiseConv2d: Either strides or dilations must be 1. ' +
      `Got strides ${strides} and dilations '${dilations ?? 1}'`,
  );
  return convolutionInfo(true, inShape, filterShape, attrs);
};

const OPS = ['DepthwiseConv2dNative', 'FusedDepthwiseConv2D'];
registerConvolution(OPS, infoOf, (call, x, filter, info, epilogue) => {
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
});

registerBuiltInKernel('DepthwiseConv2dNativeBackpropInput', ({ inputs, attrs, call, onCpu }) => {
  const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
  const info = infoOf(attrs.inputShape as number[], filter.shape, attrs);
  checkShape('dy', dy.shape, info.outShape);
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
  const info = infoOf(x.shape, attrs.filterShape as number[], attrs);
  checkShape('dy', dy.shape, info.outShape);
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

/** Outputs per channel. */
function multiplierOf({ inChannels, outChannels }: WindowInfo): number {
  return outChannels / inChannels;
}
