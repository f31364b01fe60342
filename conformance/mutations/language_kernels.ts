/** Right kernels of the ops of the language model: the float64 oracles, rounded once. */
import type { HostKernelFunction } from '../backend.js';
import {
  causalConvolution,
  rootMeanSquareNormalization,
  type SelectiveInputs,
  type SelectiveSizes,
  selectiveLayer,
  selectiveScan,
  selectiveStep,
  selectiveTreeScan,
  tokenEmbedding,
} from '../oracles/language_ops.js';
import type { RootedTree } from '../oracles/rooted_tree.js';

type Arguments = Parameters<HostKernelFunction>[0];

export function sizesOf({ shapes }: Arguments): SelectiveSizes {
  const [batch, length, channels] = shapes.step;
  return { batch, length, channels, states: shapes.logA[1] };
}

function layerSizesOf({ shapes }: Arguments): SelectiveSizes {
  const [batch, length] = shapes.x;
  const [channels, states] = shapes.logA;
  return { batch, length, channels, states };
}

export function selectiveInputsOf({ inputs }: Arguments): SelectiveInputs {
  const { step, drive, logA, inputGate, outputGate } = inputs;
  return { step, drive, logA, inputGate, outputGate };
}

/** The tree of every item of a batch. */
export function treesOf({ inputs: { order, parent }, shapes }: Arguments): RootedTree[] {
  const [batch, length] = shapes.order;
  const row = (values: Float32Array | Int32Array, b: number) =>
    values.subarray(b * length, (b + 1) * length) as Int32Array;
  return Array.from({ length: batch }, (_, b) => ({ order: row(order, b), parent: row(parent, b) }));
}

/** Writes the outputs that a formula gives by name. */
export function writing(
  formula: (args: Arguments) => Readonly<Record<string, ArrayLike<number>>>,
): HostKernelFunction {
  return (args) => {
    for (const [name, values] of Object.entries(formula(args))) args.outputs[name].set(values);
  };
}

export const LANGUAGE_KERNELS: Readonly<Record<string, HostKernelFunction>> = {
  RootMeanSquareNormalization: writing(({ inputs: { x, gamma }, attributes }) => ({
    y: rootMeanSquareNormalization(x, gamma, attributes.epsilon as number),
  })),
  CausalConvolution: writing(({ inputs: { x, filter, bias, past }, shapes }) => {
    const [batch, length, channels] = shapes.x;
    return causalConvolution(x, filter, bias, past, { batch, length, channels });
  }),
  SelectiveStep: writing(({ inputs: { rawStep, stepBias, x } }) => ({
    ...selectiveStep(rawStep, stepBias, x),
  })),
  SelectiveScan: writing((args) => {
    const { state } = args.inputs;
    const inputScale = args.attributes.inputScale as number;
    return { ...selectiveScan(selectiveInputsOf(args), sizesOf(args), { state, inputScale }) };
  }),
  SelectiveTreeScan: writing((args) => {
    const weight = args.attributes.treeWeight as number;
    return { ...selectiveTreeScan(selectiveInputsOf(args), sizesOf(args), treesOf(args), weight) };
  }),
  SelectiveLayer: writing((args) => {
    const { epsilon, inputScale } = args.attributes as { epsilon: number; inputScale: number };
    return { ...selectiveLayer(args.inputs, layerSizesOf(args), { epsilon, inputScale }) };
  }),
  TokenEmbedding: writing(({ inputs: { tokens, table }, shapes }) => ({
    y: tokenEmbedding(tokens, table, shapes.table[1]),
  })),
};
