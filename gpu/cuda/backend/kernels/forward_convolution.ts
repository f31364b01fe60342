/** Shared by both kinds of convolutions: their attributes, and tfjs's two ops for each. */
import type { backend_util, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { type Epilogue, PLAIN } from './epilogue.js';
import { Fused } from './fused.js';
import { areFloats, isEmpty, type WindowInfo } from './window.js';

export type Shape4D = [number, number, number, number];

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
  call: KernelCall,
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
export function registerConvolution(op: string, fusedOp: string, infoOf: InfoOf, convolve: Convolve): void {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
    const info = infoOf(call, x.shape, filter.shape, attrs);
    if (!areFloats(x, filter) || isEmpty(info)) return onCpu();
    return convolve(call, x, filter, info, PLAIN);
  });

  registerBuiltInKernel(fusedOp, ({ inputs, attrs, call, onCpu }) => {
    const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
    const info = infoOf(call, x.shape, filter.shape, attrs);
    const fused = new Fused(inputs, attrs);
    if (!areFloats(x, filter) || isEmpty(info) || !fused.isKnown) return onCpu();
    const sums = (epilogue: Epilogue) => convolve(call, x, filter, info, epilogue);
    return fused.apply(call, sums, info.outChannels, 4, info.dataFormat === 'channelsFirst') ?? onCpu();
  });
}
