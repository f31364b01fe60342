/**
 * SelectiveLayer: a whole layer of a Mamba language model, continued from the state of earlier tokens (A. Gu and T. Dao,
 * "Mamba", 2023, figure 3 and algorithm 2). The time per token is close to that of reading its weights, so the overhead of
 * an executor between nodes matters: see the step-by-step measurements of ../../bench.
 */
import { add, mul, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import { causalConvolution } from './causal_convolution.js';
import { defineOp, float32, optional } from './declare.js';
import { runOp } from './kernels.js';
import { linear } from './linear.js';
import { rootMeanSquareNormalization } from './root_mean_square_normalization.js';
import { selectionInputs } from './selective_discretize.js';
import { selectiveScan } from './selective_scan.js';
import { selectiveSplit } from './selective_split.js';
import { selectiveStep } from './selective_step.js';

/** The tensors of {@link selectiveLayer}, in the order of a GraphModel node's inputs. */
const inputs = {
  x: float32(['B', 'L', 'H'], 'input activations of the layer'),
  state: float32(['B', 'D', 'N'], 'state of the scan before the first token of x'),
  past: float32(['B', 'K-1', 'D'], 'the K-1 inputs of the convolution before x'),
  gamma: float32(['H'], 'scale of the normalisation'),
  inputProjection: float32(['H', '2D'], 'projection to the scanned channels, then to the gate'),
  filter: float32(['K', 'D'], 'convolution kernel; the last element applies to the current token'),
  filterBias: float32(['D'], 'bias of the convolution'),
  ...selectionInputs,
  skip: float32(['D'], 'skip coefficient D of the state-space model'),
  outputProjection: float32(['D', 'H'], 'projection back to the channels of the layer input'),
  inputBias: optional(float32(['2D'], 'bias of the input projection; optional')),
  outputBias: optional(float32(['H'], 'bias of the output projection; optional')),
} as const;

export const SelectiveLayer = defineOp({
  name: 'SelectiveLayer',
  doc:
    'x + mixer(normalised x). The mixer projects to u and a gate, convolves u, continuing from `past`, computes the ' +
    'step, B and C from it, scans it starting at `state`, adds skip * u, multiplies by silu(gate) and projects back.',
  inputs,
  attributes: {
    epsilon: {
      type: 'number',
      default: 1e-5,
      least: 0,
      doc: 'added to the mean square in the normalisation',
    },
    inputScale: { type: 'number', default: 1, doc: 'factor on the contribution of each token to the state' },
  },
  outputs: {
    y: float32(['B', 'L', 'H'], 'output activations of the layer'),
    nextState: float32(['B', 'D', 'N'], 'state of the scan after the last token'),
    nextPast: float32(['B', 'K-1', 'D'], 'the last K-1 inputs of the convolution'),
  },
  least: { L: 1, K: 1, R: 1, N: 1 },
  compose: (tensors, { epsilon, inputScale }) => {
    const { x, state, past, gamma, filter, filterBias, stepBias, logA, skip } = tensors;
    const [channels, states] = logA.shape as [number, number];
    const normalized = rootMeanSquareNormalization(x, gamma, { epsilon });
    const { inputProjection, inputBias, selection, stepProjection, outputProjection, outputBias } = tensors;
    const projected = linear(normalized, inputProjection, inputBias, { endOutput: channels });
    const gate = linear(normalized, inputProjection, inputBias, {
      firstOutput: channels,
      activation: 'silu',
    });
    const { y: u, nextPast } = causalConvolution(projected, filter, filterBias, past);
    const selected = linear(u, selection);
    const { step: lowRank, inputGate, outputGate } = selectiveSplit(selected, { states });
    const dt = linear(lowRank, stepProjection);
    const { step, deltaU } = selectiveStep(dt, stepBias, u);
    const scanned = { step, deltaU, logA, inputGate, outputGate };
    const { y, nextState } = selectiveScan(scanned, { state, inputScale });
    const gated = mul(add(y, mul(u, skip)), gate);
    return [add(x, linear(gated, outputProjection, outputBias)), nextState, nextPast];
  },
});

/** The tensors of {@link selectiveLayer}: see the declaration. */
export type SelectiveLayerInputs = Readonly<
  Record<Exclude<keyof typeof inputs, 'inputBias' | 'outputBias'>, Tensor> & {
    inputBias?: Tensor;
    outputBias?: Tensor;
  }
>;

/**
 * Runs a layer of a Mamba language model, continued from the state after earlier tokens. Differentiable in all inputs,
 * through the ops that it is composed of.
 * @param options.epsilon of the normalisation, 1e-5 by default.
 * @param options.inputScale factor on each token's contribution to the scan, 1 by default.
 * @returns `y` [B, L, H], and `nextState` [B, D, N] and `nextPast` [B, K-1, D] for the tokens after x.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function selectiveLayer(
  inputs: SelectiveLayerInputs,
  options: { epsilon?: number; inputScale?: number } = {},
): { y: Tensor3D; nextState: Tensor3D; nextPast: Tensor3D } {
  const [y, nextState, nextPast] = runOp(SelectiveLayer, inputs, { ...options }) as Tensor3D[];
  return { y, nextState, nextPast };
}
