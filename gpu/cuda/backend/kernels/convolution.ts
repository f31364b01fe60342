/** Convolutions and their gradients: convolution.cu; 1 x 1 convolutions are plain matrix products. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Block } from '../allocator.js';
import { checkShape } from '../arguments.js';
import { type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { TILE_THREADS } from './constants.js';
import { type Epilogue, epilogueArguments, PLAIN } from './epilogue.js';
import { convolutionInfo, type InfoOf, registerConvolution } from './forward_convolution.js';
import { multiply, type Shares, type SumsShape, shareOut, tiles } from './matrix_product.js';
import { areFloats, inPositions, isEmpty, outPositions, type WindowInfo, windowArgument } from './window.js';

const infoOf: InfoOf = (...given) => convolutionInfo(false, ...given);

registerConvolution(['Conv2D', 'FusedConv2D'], infoOf, (call, x, filter, info, epilogue) => {
  const y = call.output(info.outShape, 'float32');
  const [m, n] = [outPositions(info), info.outChannels];
  const given = [call.input(x), call.input(filter)] as const;
  if (isPointwise(info)) {
    multiply(call, { a: given[0], b: given[1], c: y, m, n, k: info.inChannels, epilogue });
    return y;
  }
  const terms = info.filterHeight * info.filterWidth * info.inChannels;
  shareImage(call, y, info, { rows: m, columns: n, terms, epilogue }, (to, { shares, terms }, last) => {
    const grid = { blocks: tiles(m, n, shares), threads: TILE_THREADS };
    const window = windowArgument(info);
    call.launch('convolution', grid, ...given, to, window, shares, terms, ...epilogueArguments(last));
  });
  return y;
});

registerBuiltInKernel('Conv2DBackpropInput', ({ inputs, attrs, call, onCpu }) => {
  const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
  const info = infoOf(attrs.inputShape as number[], filter.shape, { ...attrs, dilations: 1 });
  const dx = call.output(info.inShape, 'float32');
  // tfjs's conv2dTranspose does not check the height and width of dy, and its CPU kernel accepts any.
  const fits = util.arraysEqual(dy.shape, info.outShape);
  const [batch, , , channels] = info.outShape;
  if (!fits)
    checkShape(
      'dy',
      dy.shape,
      isChannelsFirst(info) ? info.outShape : [batch, undefined, undefined, channels],
    );
  if (!areFloats(dy, filter) || isEmpty(info) || !fits) return onCpu();
  const [m, n] = [inPositions(info), info.inChannels];
  const given = [call.input(dy), call.input(filter)] as const;
  if (isPointwise(info)) {
    multiply(call, { a: given[0], b: given[1], c: dx, m, n, k: info.outChannels, transposeB: true });
    return dx;
  }
  const terms = info.filterHeight * info.filterWidth * info.outChannels;
  shareImage(call, dx, info, { rows: m, columns: n, terms }, (to, { shares, terms }) => {
    const grid = { blocks: tiles(m, n, shares), threads: TILE_THREADS };
    call.launch('convolution_input_gradient', grid, ...given, to, windowArgument(info), shares, terms);
  });
  return dx;
});

registerBuiltInKernel('Conv2DBackpropFilter', ({ inputs, attrs, call, onCpu }) => {
  const { x, dy } = inputs as Record<'x' | 'dy', TensorInfo>;
  const info = infoOf(x.shape, attrs.filterShape as number[], { ...attrs, dilations: 1 });
  checkShape('dy', dy.shape, info.outShape);
  if (!areFloats(x, dy) || isEmpty(info)) return onCpu();
  const dFilter = call.output(info.filterShape, 'float32');
  const [m, n] = [info.filterHeight * info.filterWidth * info.inChannels, info.outChannels];
  const k = outPositions(info);
  const given = [call.input(x), call.input(dy)] as const;
  if (isPointwise(info)) {
    multiply(call, { a: given[0], b: given[1], c: dFilter, m, n, k, transposeA: true });
    return dFilter;
  }
  const kernel = `convolution_filter_gradient${isChannelsFirst(info) ? '_channels_first' : ''}`;
  shareOut(call, dFilter, { rows: m, columns: n, terms: k }, (to, { shares, terms }) => {
    const grid = { blocks: tiles(m, n, shares), threads: TILE_THREADS };
    call.launch(kernel, grid, ...given, to, windowArgument(info), terms);
  });
  return dFilter;
});

/**
 * Like `shareOut`; but sums written with channels first are not split, because the kernel that adds the parts only supports
 * rows.
 */
function shareImage(
  call: KernelCall,
  output: Block,
  info: WindowInfo,
  shape: SumsShape,
  launch: (to: Block, shares: Shares, epilogue: Epilogue) => void,
): void {
  const { terms, epilogue = PLAIN } = shape;
  if (isChannelsFirst(info)) launch(output, { shares: 1, terms }, epilogue);
  else shareOut(call, output, shape, launch);
}

function isChannelsFirst({ dataFormat }: WindowInfo): boolean {
  return dataFormat === 'channelsFirst';
}

/** Whether each output depends on one pixel, in the same order. */
function isPointwise(info: WindowInfo): boolean {
  const { filterHeight, filterWidth, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth } =
    info;
  return (
    !isChannelsFirst(info) &&
    [filterHeight, filterWidth, strideHeight, strideWidth].every((size) => size === 1) &&
    info.padInfo.top === 0 &&
    info.padInfo.left === 0 &&
    outHeight === inHeight &&
    outWidth === inWidth
  );
}
