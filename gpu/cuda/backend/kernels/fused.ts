/** Bias and activation of tfjs's fused ops, applied to the sums of a matrix product or convolution. */
import { type NamedAttrMap, type NamedTensorInfoMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { DeviceTensor, KernelCall } from '../kernels.js';
import { binary } from './binary.js';
import { type Columns, type Epilogue, PLAIN, TFJS_ACTIVATIONS } from './epilogue.js';
import { unary, unaryWith } from './unary.js';

/** Computes the sums with an epilogue. */
export type Sums = (epilogue: Epilogue) => DeviceTensor | undefined;

/** Inputs of tfjs's fused ops in addition to the factors. */
interface FusedInputs {
  readonly bias?: TensorInfo;
  readonly preluActivationWeights?: TensorInfo;
}

/**
 * Bias and activation: applied in the kernel that computes the sums if they are vectors or single numbers, as in every known
 * model; otherwise by further kernels.
 */
export class Fused {
  private readonly bias?: TensorInfo;
  private readonly weights?: TensorInfo;
  private readonly activation: string;
  private readonly slope: number;

  constructor(inputs: NamedTensorInfoMap, attrs: NamedAttrMap) {
    const { bias, preluActivationWeights } = inputs as object as FusedInputs;
    this.bias = bias ?? undefined;
    this.activation = (attrs.activation as string | undefined) ?? 'linear';
    this.weights = this.activation === 'prelu' ? preluActivationWeights : undefined;
    this.slope = (attrs.leakyreluAlpha as number | undefined) ?? 0;
  }

  /** Whether the device supports it. tfjs's CPU kernel does the rest, or reports what is wrong. */
  get isKnown(): boolean {
    const known: readonly string[] = TFJS_ACTIVATIONS;
    const given = [this.bias, this.weights].every((tensor) => !tensor || tensor.dtype === 'float32');
    return known.includes(this.activation) && given && (this.activation !== 'prelu' || !!this.weights);
  }

  /**
   * Runs `sums` with bias and activation.
   * @param columns of the sums; they are on the last axis or, for channels-first images, on the third axis from the end
   * @returns undefined if a tensor is broadcast over too many axes for a kernel
   */
  apply(
    call: KernelCall,
    sums: Sums,
    columns: number,
    rank: number,
    channelsFirst = false,
  ): DeviceTensor | undefined {
    // For channels first, tfjs takes a vector as one per channel.
    const align = (tensor: TensorInfo | undefined) =>
      channelsFirst && tensor?.shape.length === 1 && tensor.shape[0] !== 1
        ? { ...tensor, shape: [tensor.shape[0], 1, 1] }
        : tensor;
    const [bias, weights] = [align(this.bias), align(this.weights)];
    const fitting = (tensor: TensorInfo | undefined) =>
      tensor && columnsOf(call, tensor, columns, rank, channelsFirst ? 3 : 1);
    const epilogue = {
      bias: fitting(bias),
      slopes: fitting(weights),
      activation: this.activation as Epilogue['activation'],
      slope: this.slope,
    };
    if (!bias === !epilogue.bias && !weights === !epilogue.slopes) return sums(epilogue);
    let y = sums(PLAIN);
    if (y && bias) y = binary(call, 'add_f32', y, bias);
    return y && this.activate(call, y, weights);
  }

  private activate(call: KernelCall, y: DeviceTensor, weights?: TensorInfo): DeviceTensor | undefined {
    if (this.activation === 'linear') return y;
    if (weights) return binary(call, 'prelu_f32', y, weights);
    if (this.activation === 'leakyrelu') return unaryWith(call, 'leaky_relu_f32', y, this.slope);
    return unary(call, `${this.activation}_f32`, y);
  }
}

/** Interprets a tensor as column values: a single element, or one per column on the given axis, counted from the end. */
function columnsOf(
  call: KernelCall,
  tensor: TensorInfo,
  columns: number,
  rank: number,
  axisFromEnd: number,
): Columns | undefined {
  const { shape } = tensor;
  if (shape.length > rank) return undefined;
  const size = util.sizeFromShape(shape);
  if (size === 1) return { block: call.input(tensor), stride: 0 };
  if (size !== columns || shape.at(-axisFromEnd) !== columns) return undefined;
  return { block: call.input(tensor), stride: 1 };
}
