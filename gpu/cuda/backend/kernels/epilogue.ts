/** Bias and activation of a matrix product or convolution, applied before its sums are written: epilogue.h. */
import type { Block } from '../allocator.js';
import { type Argument, Float32 } from '../launch.js';
import { Activation } from './constants.js';

/** tfjs's activations. */
export const TFJS_ACTIVATIONS = ['linear', 'relu', 'relu6', 'elu', 'prelu', 'leakyrelu', 'sigmoid'] as const;
const CODES = {
  linear: Activation.LINEAR,
  relu: Activation.RELU,
  relu6: Activation.RELU6,
  elu: Activation.ELU,
  prelu: Activation.PRELU,
  leakyrelu: Activation.LEAKY_RELU,
  sigmoid: Activation.SIGMOID,
  gelu: Activation.GELU,
  silu: Activation.SILU,
} as const;

/** A value for each column of the sums, or one for all. */
export interface Columns {
  readonly block: Block;
  readonly stride: 0 | 1;
}

export interface Epilogue {
  readonly bias?: Columns;
  readonly activation: keyof typeof CODES;
  /** Negative slopes of `prelu`. */
  readonly slopes?: Columns;
  /** Negative slope of `leakyrelu`. */
  readonly slope?: number;
}

export const PLAIN: Epilogue = { activation: 'linear' };

/** The parameters EPILOGUE_PARAMETERS. */
export function epilogueArguments({ bias, activation, slopes, slope = 0 }: Epilogue): Argument[] {
  return [
    bias?.block ?? null,
    bias?.stride ?? 0,
    slopes?.block ?? null,
    slopes?.stride ?? 0,
    CODES[activation],
    new Float32(slope),
  ];
}
