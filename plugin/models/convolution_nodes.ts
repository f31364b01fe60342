/** Recognises graph nodes that are image convolutions and can be replaced by the op Convolution. */
import type { TopologyNode } from '../torch_layout.js';
import { FLOAT } from './graph_editor.js';

/** Attributes as stored in model.json: integers may be strings, strings are base64. */
interface Attribute {
  readonly s?: string;
  readonly list?: { readonly i?: readonly (string | number)[]; readonly s?: readonly string[] };
}

const integersOf = (attribute?: Attribute) => (attribute?.list?.i ?? []).map(Number);

/** Returns the attributes of an equivalent Convolution node and the op that follows it; undefined for other nodes. */
export function asConvolution({
  op,
  attr = {},
}: TopologyNode): { attr: Record<string, unknown>; activation?: 'Relu' } | undefined {
  if (op !== 'Conv2D' && op !== '_FusedConv2D') return undefined;
  const attributes = attr as Readonly<Record<string, Attribute | undefined>>;
  const textOf = (name: string) => atob(attributes[name]?.s ?? '');
  const [, down, across] = integersOf(attributes.strides);
  const dilations = integersOf(attributes.dilations);
  if (textOf('data_format') === 'NCHW' || dilations.some((dilation) => dilation !== 1)) return undefined;
  const padding =
    textOf('padding') === 'VALID' ? [0, 0, 0, 0] : integersOf(attributes.explicit_paddings).slice(2, 6);
  if (padding.length !== 4) return undefined; // SAME: the padding depends on the size of the image
  const [bias, activation, ...more] = (attributes.fused_ops?.list?.s ?? []).map(atob);
  const isKnown = op === 'Conv2D' || (bias === 'BiasAdd' && more.length === 0);
  if (!isKnown || (activation !== undefined && activation !== 'Relu')) return undefined;
  return {
    attr: { strides: { list: { i: [down, across] } }, padding: { list: { i: padding } }, ...FLOAT },
    activation,
  };
}
