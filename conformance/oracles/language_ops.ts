/**
 * The ops of the language model in float64, each from its formula. Arrays are row-major, tokens before channels; every
 * state of every token is held, which the kernels never do.
 */
import { columns, linear, siluOf, softplusOf } from './fused_ops.js';
import type { RootedTree } from './rooted_tree.js';
import { treeScan } from './tree_scan.js';

type Numbers = ArrayLike<number>;

/** x / sqrt(mean of x^2 + epsilon) * gamma, row by row. */
export function rootMeanSquareNormalization(x: Numbers, gamma: Numbers, epsilon: number): Float64Array {
  const channels = gamma.length;
  return Float64Array.from(x, (value, i) => {
    const row = i - (i % channels);
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += x[row + c] ** 2;
    return (value / Math.sqrt(squares / channels + epsilon)) * gamma[i % channels];
  });
}

/** Sizes of activations [B, L, D]. */
export interface TokenSizes {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
}

/** A depthwise convolution over time and SiLU, and the inputs of the last tokens: see the op CausalConvolution. */
export function causalConvolution(
  x: Numbers,
  filter: Numbers,
  bias: Numbers,
  past: Numbers | undefined,
  { batch, length, channels }: TokenSizes,
): { y: Float64Array; nextPast: Float64Array } {
  const before = filter.length / channels - 1;
  /** The input of a token; those before the first have negative numbers. */
  const at = (b: number, t: number, d: number) => {
    if (t >= 0) return x[(b * length + t) * channels + d];
    return past ? past[(b * before + before + t) * channels + d] : 0;
  };
  const y = new Float64Array(batch * length * channels);
  const nextPast = new Float64Array(batch * before * channels);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < channels; d++) {
      for (let t = 0; t < length; t++) {
        let sum = bias[d];
        for (let back = 0; back <= before; back++) {
          sum += filter[(before - back) * channels + d] * at(b, t - back, d);
        }
        y[(b * length + t) * channels + d] = siluOf(sum);
      }
      for (let k = 0; k < before; k++) {
        nextPast[(b * before + k) * channels + d] = at(b, length - before + k, d);
      }
    }
  }
  return { y, nextPast };
}

/** softplus(rawStep + stepBias), and that times x. */
export function selectiveStep(
  rawStep: Numbers,
  stepBias: Numbers,
  x: Numbers,
): { step: Float64Array; drive: Float64Array } {
  const step = Float64Array.from(rawStep, (raw, i) => softplusOf(raw + stepBias[i % stepBias.length]));
  return { step, drive: step.map((value, i) => value * x[i]) };
}

/** What the scans of the language model take: step and drive [B, L, D], logA [D, N], both gates [B, L, N]. */
export interface SelectiveInputs {
  readonly step: Numbers;
  readonly drive: Numbers;
  readonly logA: Numbers;
  readonly inputGate: Numbers;
  readonly outputGate: Numbers;
}

export interface SelectiveSizes extends TokenSizes {
  readonly states: number;
}

/** The states of every token [B, L, D, N], read out, and those of the last token. */
interface ReadOut {
  readonly y: Float64Array;
  readonly nextState: Float64Array;
}

/** h[t] = decay[t] h[t-1] + inputScale * drive[t] inputGate[t]: see the op SelectiveScan. */
export function selectiveScan(
  inputs: SelectiveInputs,
  sizes: SelectiveSizes,
  { state, inputScale = 1 }: { state?: Numbers; inputScale?: number } = {},
): ReadOut {
  return readOut(inputs, chainStates(inputs, sizes, state, inputScale), sizes);
}

/**
 * The states of the chain plus `treeWeight` of the sums over subtrees: see the op SelectiveTreeScan.
 * @param trees one a batch item, over the tokens in reversed time.
 */
export function selectiveTreeScan(
  inputs: SelectiveInputs,
  sizes: SelectiveSizes,
  trees: readonly RootedTree[],
  treeWeight: number,
): ReadOut {
  const { length, channels, states } = sizes;
  const width = channels * states;
  const all = chainStates(inputs, sizes, undefined, 1);
  for (const [b, tree] of trees.entries()) {
    // Vertex v is token length-1-v, and the edge above it carries the decay of the token after; the root has none.
    const [x, decay] = [new Float64Array(length * width), new Float64Array(length * width)];
    for (let v = 0; v < length; v++) {
      for (let i = 0; i < width; i++) {
        x[v * width + i] = inputOf(inputs, sizes, b, length - 1 - v, i);
        if (v > 0) decay[v * width + i] = decayOf(inputs, sizes, b, length - v, i);
      }
    }
    const sums = treeScan(x, decay, tree, width, 'root');
    for (let v = 0; v < length; v++) {
      const token = (b * length + length - 1 - v) * width;
      for (let i = 0; i < width; i++) all[token + i] += treeWeight * sums[v * width + i];
    }
  }
  return readOut(inputs, all, sizes);
}

/** decay[t, d, n] = exp(-exp(logA[d, n]) * step[t, d]), with i = d * states + n. */
function decayOf({ step, logA }: SelectiveInputs, sizes: SelectiveSizes, b: number, t: number, i: number) {
  const { length, channels, states } = sizes;
  return Math.exp(-Math.exp(logA[i]) * step[(b * length + t) * channels + Math.floor(i / states)]);
}

/** drive[t, d] * inputGate[t, n], with i = d * states + n. */
function inputOf(
  { drive, inputGate }: SelectiveInputs,
  { length, channels, states }: SelectiveSizes,
  b: number,
  t: number,
  i: number,
) {
  const token = b * length + t;
  return drive[token * channels + Math.floor(i / states)] * inputGate[token * states + (i % states)];
}

/** The states of the recurrence along the text, [B, L, D, N]. */
function chainStates(
  inputs: SelectiveInputs,
  sizes: SelectiveSizes,
  state: Numbers | undefined,
  inputScale: number,
): Float64Array {
  const { batch, length, channels, states } = sizes;
  const width = channels * states;
  const all = new Float64Array(batch * length * width);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < width; i++) {
      let h = state ? state[b * width + i] : 0;
      for (let t = 0; t < length; t++) {
        h = decayOf(inputs, sizes, b, t, i) * h + inputScale * inputOf(inputs, sizes, b, t, i);
        all[(b * length + t) * width + i] = h;
      }
    }
  }
  return all;
}

/** y[t, d]: the states of a token and channel weighed by the output gate; and the states of the last token. */
function readOut({ outputGate }: SelectiveInputs, all: Float64Array, sizes: SelectiveSizes): ReadOut {
  const { batch, length, channels, states } = sizes;
  const width = channels * states;
  const y = new Float64Array(batch * length * channels);
  for (let i = 0; i < all.length; i++) {
    y[Math.floor(i / states)] += all[i] * outputGate[Math.floor(i / width) * states + (i % states)];
  }
  const nextState = new Float64Array(batch * width);
  for (let b = 0; b < batch; b++) {
    const last = ((b + 1) * length - 1) * width;
    nextState.set(all.subarray(last, last + width), b * width);
  }
  return { y, nextState };
}

/** The tensors of a whole layer by the input names of the op SelectiveLayer. */
export type LayerInputs = Readonly<Record<string, Numbers>>;

/** x and what the mixer makes of it, normalised: see the op SelectiveLayer. */
export function selectiveLayer(
  { x, state, past, gamma, filter, filterBias, stepBias, logA, skip, ...rest }: LayerInputs,
  sizes: SelectiveSizes,
  { epsilon, inputScale }: { epsilon: number; inputScale: number },
): { y: Float64Array; nextState: Float64Array; nextPast: Float64Array } {
  const { inputProjection, inputBias, selection, stepProjection, outputProjection, outputBias } = rest;
  const { channels, states } = sizes;
  const normalized = rootMeanSquareNormalization(x, gamma, epsilon);
  const projected = (first: number, activation: string) =>
    linear(normalized, inputProjection, inputBias, 2 * channels, activation, [first, first + channels]);
  const { y: u, nextPast } = causalConvolution(projected(0, 'none'), filter, filterBias, past, sizes);
  const width = selection.length / channels;
  const selected = linear(u, selection, undefined, width, 'none');
  const rank = width - 2 * states;
  const rawStep = linear(columns(selected, width, 0, rank), stepProjection, undefined, channels, 'none');
  const { y, nextState } = selectiveScan(
    {
      ...selectiveStep(rawStep, stepBias, u),
      logA,
      inputGate: columns(selected, width, rank, rank + states),
      outputGate: columns(selected, width, rank + states, width),
    },
    sizes,
    { state, inputScale },
  );
  const gate = projected(channels, 'silu');
  const gated = y.map((value, i) => (value + skip[i % channels] * u[i]) * gate[i]);
  const mixed = linear(gated, outputProjection, outputBias, gamma.length, 'none');
  return { y: mixed.map((value, i) => x[i] + value), nextState, nextPast };
}

/** table[h, tokens[b, l]] as [B, L, H]; `vocabulary` columns of the table. */
export function tokenEmbedding(tokens: Numbers, table: Numbers, vocabulary: number): Float64Array {
  const hidden = table.length / vocabulary;
  return Float64Array.from(
    { length: tokens.length * hidden },
    (_, i) => table[(i % hidden) * vocabulary + tokens[Math.floor(i / hidden)]],
  );
}

/** Pairs of vertices that may be joined, of a prompt of P of the L tokens: README of the fixtures, step 5. */
export function windowPairs(length: number, promptLength: number): number[] {
  const pairs: number[] = [];
  for (let i = 0; i + 1 < length; i++) {
    const reach = i < length - promptLength ? 1 : 3;
    for (let j = i + 1; j <= Math.min(i + reach, length - 1); j++) pairs.push(i, j);
  }
  return pairs;
}
