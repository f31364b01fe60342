/** Shared by both kinds of convolutions: their attributes, and tfjs's two ops for each. */
import { backend_util, type NamedAttrMap, type TensorInfo } from '@tensorflow/tfjs-core';
import { checkShape } from '../arguments.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import type { Epilogue } from './epilogue.js';
import { Fused } from './fused.js';
import { areFloats, isEmpty, type WindowInfo, windowOf } from './window.js';

type Shape4D = [number, number, number, number];

/** tfjs's attributes of a convolution. */
export interface ConvolutionAttributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** Computes the sizes of a convolution from the shapes of its input and filter. */
export type InfoOf = (
  inShape: readonly number[],
  filterShape: readonly number[],
  attrs: NamedAttrMap,
) => WindowInfo;

/** Computes the sums of a convolution, with an epilogue. */
export type Convolve = (
  call: KernelCall,
  x: TensorInfo,
  filter: TensorInfo,
  info: WindowInfo,
  epilogue: Epilogue,
) => DeviceTensor;

/** Registers a convolution, and the fused op with bias and activation. */
export function registerConvolution(ops: readonly string[], infoOf: InfoOf, convolve: Convolve): void {
  for (const op of ops) {
    registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
      const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
      const info = infoOf(x.shape, filter.shape, attrs);
      const fused = new Fused(inputs, attrs);
      if (!areFloats(x, filter) || isEmpty(info) || !fused.isKnown) return onCpu();
      const sums = (epilogue: Epilogue) => convolve(call, x, filter, info, epilogue);
      return fused.apply(call, sums, info.outChannels, 4, info.dataFormat === 'channelsFirst') ?? onCpu();
    });
  }
}

/** The sizes of a convolution. Depthwise ones of tfjs use channels last, whatever `dataFormat` says. */
export function convolutionInfo(
  isDepthwise: boolean,
  ...[inShape, filterShape, attrs]: Parameters<InfoOf>
): WindowInfo {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = attrs as object as ConvolutionAttributes;
  const info = windowOf({ x: inShape, filter: filterShape }, () =>
    backend_util.computeConv2DInfo(
      inShape as Shape4D,
      filterShape as Shape4D,
      strides,
      dilations ?? 1,
      pad,
      dimRoundingMode,
      isDepthwise,
      isDepthwise ? 'channelsLast' : backend_util.convertConv2DDataFormat(dataFormat),
    ),
  );
  checkShape('filter', filterShape, [undefined, undefined, info.inChannels, undefined]);
  return info;
}
