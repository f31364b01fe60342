/** The gradient of both selective scans, from tfjs's own ops and tree scans. It does store the states, [B, L, D*N]. */
import {
  add,
  concat,
  exp,
  expandDims,
  mul,
  neg,
  reshape,
  reverse,
  slice,
  sum,
  type Tensor,
  tensor2d,
  tidy,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { Tensors } from './declaration.js';
import { alreadyComputed } from './declare.js';
import { trustTree } from './graph_checks.js';
import { treeScan, treeScanGradient } from './tree_scan.js';

/** A tree whose subtree sums are part of the states; without a tree, the chain of tokens. */
interface Branch {
  readonly scale: number;
  readonly tree?: { readonly order: Tensor; readonly parent: Tensor };
}

/**
 * Computes the gradients in step, deltaU, logA, inputGate and outputGate, and in the initial state if there is one. Its
 * decayed value is added to the input of the first token of the chain.
 */
export function scanGradients(
  { step, deltaU, logA, inputGate, outputGate, state }: Tensors,
  [dY, dNextState]: readonly Tensor[],
  branches: readonly Branch[],
): Record<string, () => Tensor> {
  const gradients = tidy(() => {
    const [batch, length, channels] = step.shape as number[];
    const states = logA.shape[1] as number;
    const vertices = [batch, length, channels * states];
    const apart = [batch, length, channels, states];

    // [B, L, D, N] by token, or a shape that broadcasts to it.
    const rate = neg(exp(logA));
    const decay = exp(mul(rate, expandDims(step, -1)));
    const input = mul(expandDims(deltaU, -1), expandDims(inputGate, 2));
    const readGate = expandDims(outputGate, 2);
    const last = [0, length - 1, 0, 0];
    const dReadStates = mul(expandDims(dY, -1), readGate);
    const dLast = add(slice(dReadStates, last), expandDims(dNextState, 1));
    const dStates = concat([slice(dReadStates, [0, 0, 0, 0], [-1, length - 1, -1, -1]), dLast], 1);

    // [B, V, D*N] by vertex, in reversed time; the edge from a vertex to its parent carries the decay of the following
    // token.
    const byVertex = (values: Tensor) => reverse(reshape(values, vertices), 1);
    const byToken = (values: Tensor) => reshape(reverse(values, 1), apart);
    const rowEnd = [batch, length - 1, channels * states];
    const edge = byVertex(decay);
    const above = concat([slice(edge, [0, 0, 0], [-1, 1, -1]), slice(edge, [0, 0, 0], rowEnd)], 1);
    const dy = byVertex(dStates);
    const before = state && expandDims(state, 1);
    const firstOf = (values: Tensor) => slice(values, [0, 0, 0, 0], [-1, 1, -1, -1]);
    const continued = (added: Tensor) => {
      const first = firstOf(added);
      const rest = slice(added, [0, 1, 0, 0], [-1, length - 1, -1, -1]);
      return concat([add(first, mul(firstOf(decay), before)), rest], 1);
    };

    const parts = branches.map(({ scale, tree }) => {
      const attributes = { aggregate: 'root' } as const;
      const added = mul(input, scale);
      const x = byVertex(before && !tree ? continued(added) : added);
      const { order, parent } = tree ?? chain(batch, length);
      const y = treeScan(x, above, { order, parent }, attributes);
      const { dx, ddecay } = treeScanGradient({ x, decay: above, order, parent, y, dy }, attributes);
      return { y, ddecay, dInput: mul(dx, scale), dFirst: firstOf(byToken(dx)) };
    });
    const total = (of: 'y' | 'ddecay' | 'dInput') =>
      parts.map((part): Tensor => part[of]).reduce((a, b) => add(a, b));
    const [sums, dAbove, dInput] = [total('y'), total('ddecay'), byToken(total('dInput'))];
    const [{ dFirst }] = parts;
    // The decay of the first token belongs to no edge.
    const dFirstDecay = before ? mul(dFirst, before) : zerosLike(dFirst);
    const dEdge = slice(dAbove, [0, 1, 0], rowEnd);
    const dExponent = mul(
      concat([dFirstDecay, reshape(reverse(dEdge, 1), [batch, length - 1, channels, states])], 1),
      decay,
    );

    return {
      step: sum(mul(dExponent, rate), -1),
      deltaU: sum(mul(dInput, expandDims(inputGate, 2)), -1),
      logA: sum(mul(mul(dExponent, rate), expandDims(step, -1)), [0, 1]),
      inputGate: sum(mul(dInput, expandDims(deltaU, -1)), 2),
      outputGate: sum(mul(byToken(sums), expandDims(dY, -1)), 2),
      ...(before && { state: reshape(mul(dFirst, firstOf(decay)), state.shape) }),
    };
  });
  return alreadyComputed(gradients);
}

/** The path from the last token, vertex 0, back to the first. */
function chain(batch: number, length: number): { order: Tensor; parent: Tensor } {
  const rows = (at: (position: number) => number) =>
    tensor2d(
      Int32Array.from({ length: batch * length }, (_, i) => at(i % length)),
      [batch, length],
      'int32',
    );
  const order = rows((position) => position);
  const parent = rows((position) => Math.max(0, position - 1));
  trustTree(order, parent, 0);
  return { order, parent };
}
