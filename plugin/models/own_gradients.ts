/** Graphs that are differentiated: convolutions and sums of tfjs become ops of this package, whose gradients have kernels. */
import { getGradient } from '@tensorflow/tfjs-core';
import type { TopologyNode } from '../torch_layout.js';
import { branchSums, FLOAT, type GraphEditor } from './graph_editor.js';

/** Attributes as model.json holds them: integers may be strings, strings are base64. */
interface Attribute {
  readonly s?: string;
  readonly list?: { readonly i?: readonly (string | number)[]; readonly s?: readonly string[] };
}

const integersOf = (attribute?: Attribute) => (attribute?.list?.i ?? []).map(Number);

/** @throws {Error} when the gradients of tfjs's own ops are not registered */
export function checkGradients(method: string): void {
  if (getGradient('BatchMatMul')) return;
  throw new Error(
    `${method}: the gradients of tfjs's own ops are not registered, expected import '@tensorflow/tfjs' before`,
  );
}

/** Replaces, in place, every convolution and sum of branches that an op of this package can stand for. */
export function useOwnGradients(graph: GraphEditor): void {
  for (const { name, input = [] } of branchSums(graph)) graph.replace(name, 'BranchSum', input, FLOAT);
  useOwnConvolutions(graph);
}

function useOwnConvolutions(graph: GraphEditor): void {
  for (const node of [...graph.nodes.values()]) {
    const replaced = replacementOf(node);
    if (!replaced) continue;
    const { attr, activation } = replaced;
    const { name, input = [] } = node;
    const sums = activation ? `${name}/trained_sums` : name;
    graph.nodes.delete(name);
    graph.add('Convolution', sums, input, attr);
    if (activation) graph.add(activation, name, [sums], FLOAT);
  }
}

/** The attributes of the op in its place, and the activation behind it; undefined for other nodes. */
function replacementOf({
  op,
  attr = {},
}: TopologyNode): { attr: Record<string, unknown>; activation?: string } | undefined {
  if (op !== 'Conv2D' && op !== '_FusedConv2D') return undefined;
  const attributes = attr as Readonly<Record<string, Attribute | undefined>>;
  const textOf = (name: string) => atob(attributes[name]?.s ?? '');
  const [, down, across] = integersOf(attributes.strides);
  const dilations = integersOf(attributes.dilations);
  if (textOf('data_format') === 'NCHW' || dilations.some((dilation) => dilation !== 1)) return undefined;
  const padding =
    textOf('padding') === 'VALID' ? [0, 0, 0, 0] : integersOf(attributes.explicit_paddings).slice(2, 6);
  if (padding.length !== 4) return undefined; // SAME: the padding follows from the size of the image
  const [bias, activation, ...more] = (attributes.fused_ops?.list?.s ?? []).map(atob);
  const isKnown = op === 'Conv2D' || (bias === 'BiasAdd' && more.length === 0);
  if (!isKnown || (activation !== undefined && activation !== 'Relu')) return undefined;
  return {
    attr: { strides: { list: { i: [down, across] } }, padding: { list: { i: padding } }, ...FLOAT },
    activation,
  };
}
