/**
 * Prepares graphs for differentiation: replaces tfjs's convolutions and sums by ops of this package, whose gradients have
 * kernels.
 */
import { getGradient } from '@tensorflow/tfjs-core';
import { asConvolution } from './convolution_nodes.js';
import { branchSums, FLOAT, type GraphEditor } from './graph_editor.js';

/** @throws {Error} if the gradients of tfjs's own ops are not registered. */
export function checkGradients(method: string): void {
  if (getGradient('BatchMatMul')) return;
  throw new Error(
    `${method}: the gradients of tfjs's own ops are not registered, expected import '@tensorflow/tfjs' before`,
  );
}

/** Replaces, in place, every convolution and branch sum for which this package has an op. */
export function useOwnGradients(graph: GraphEditor): void {
  for (const { name, input = [] } of branchSums(graph)) graph.replace(name, 'BranchSum', input, FLOAT);
  useOwnConvolutions(graph);
}

function useOwnConvolutions(graph: GraphEditor): void {
  for (const node of [...graph.nodes.values()]) {
    const replaced = asConvolution(node);
    if (!replaced) continue;
    const { attr, activation } = replaced;
    const { name, input = [] } = node;
    const sums = activation ? `${name}/trained_sums` : name;
    graph.nodes.delete(name);
    graph.add('Convolution', sums, input, attr);
    if (activation) graph.add(activation, name, [sums], FLOAT);
  }
}
