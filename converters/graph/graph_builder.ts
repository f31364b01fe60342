/** A small typed builder of TensorFlow GraphDef nodes, in the JSON form that tfjs loads. */

/** The values of a constant of the graph, read only when they are written. */
export interface Weight {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /** Row-major values, as many as the shape specifies. */
  readonly read: () => Promise<Float32Array | Int32Array>;
  /** Whether `--quantize` may change it. Constants that are not weights (means, axes) are kept as they are. */
  readonly quantizable: boolean;
}

/** The value of an op attribute. */
export type AttributeValue =
  | { readonly i: string }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly s: string }
  | { readonly type: string }
  | { readonly shape: TensorShape }
  | { readonly tensor: { readonly dtype: string; readonly tensorShape: TensorShape } }
  | { readonly list: { readonly i: string[] } | { readonly f: number[] } | { readonly s: string[] } };

interface TensorShape {
  readonly dim: readonly { readonly size: string }[];
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, AttributeValue>>;
}

/** An input or output of the whole graph, float32 by default; -1 is a dynamic size. */
export interface GraphEnd {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: Weight['dtype'];
}

/** One output of one node, `name` or `name:index`. */
export type Output = string & { readonly __output?: never };

const DTYPE = { float32: 'DT_FLOAT', int32: 'DT_INT32' } as const;

/** An integer attribute. */
export const int = (value: number): AttributeValue => ({ i: String(value) });
/** A floating-point attribute. */
export const float = (value: number): AttributeValue => ({ f: value });
/** A boolean attribute. */
export const bool = (value: boolean): AttributeValue => ({ b: value });
/** A string attribute; GraphDef holds bytes, in JSON as base64. ASCII only. */
export const text = (value: string): AttributeValue => ({ s: btoa(value) });
/** A list of integers. */
export const ints = (values: readonly number[]): AttributeValue => ({ list: { i: values.map(String) } });
/** A list of numbers. */
export const floats = (values: readonly number[]): AttributeValue => ({ list: { f: [...values] } });
/** A list of strings. */
export const texts = (values: readonly string[]): AttributeValue => ({
  list: { s: values.map((s) => btoa(s)) },
});
/** An element type. */
export const type = (dtype: keyof typeof DTYPE): AttributeValue => ({ type: DTYPE[dtype] });

/** A shape; -1 is a dynamic size. */
function tensorShape(shape: readonly number[]): TensorShape {
  return { dim: shape.map((size) => ({ size: String(size) })) };
}

/** Inputs or outputs as the signature of a SavedModel lists them. */
export function signatureOf(ends: readonly GraphEnd[]) {
  return Object.fromEntries(
    ends.map(({ name, shape, dtype = 'float32' }) => [
      name,
      { name: `${name}:0`, dtype: DTYPE[dtype], tensorShape: tensorShape(shape) },
    ]),
  );
}

/** Collects nodes in the order in which they are added. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  /** Constants by node name, in the order in which they are written. */
  readonly weights = new Map<string, Weight>();
  private readonly names = new Set<string>();

  /** Adds a node and returns its first output. @throws if the name is taken */
  node(
    op: string,
    name: string,
    inputs: readonly Output[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): Output {
    if (this.names.has(name)) throw new Error(`two nodes of the graph are named ${name}`);
    this.names.add(name);
    this.nodes.push({ name, op, input: [...inputs], attr: attributes });
    return name;
  }

  /** An input of the graph. */
  placeholder(name: string, shape: readonly number[], dtype: keyof typeof DTYPE = 'float32'): Output {
    return this.node('Placeholder', name, [], { dtype: type(dtype), shape: { shape: tensorShape(shape) } });
  }

  /** A constant whose values are read when the model is written. */
  constant(name: string, weight: Weight, attributes: Readonly<Record<string, AttributeValue>> = {}): Output {
    this.node('Const', name, [], {
      dtype: type(weight.dtype),
      value: { tensor: { dtype: DTYPE[weight.dtype], tensorShape: tensorShape(weight.shape) } },
      ...attributes,
    });
    this.weights.set(name, weight);
    return name;
  }

  /** A constant that is not a weight and never quantised. A plain number is a scalar. */
  literal(name: string, values: number | readonly number[], dtype: Weight['dtype'] = 'float32'): Output {
    const list = typeof values === 'number' ? [values] : values;
    const array = dtype === 'float32' ? Float32Array.from(list) : Int32Array.from(list);
    const shape = typeof values === 'number' ? [] : [list.length];
    return this.constant(name, { shape, dtype, read: async () => array, quantizable: false });
  }

  /** The shape of a float32 tensor, int32. */
  shapeOf(name: string, x: Output): Output {
    return this.node('Shape', name, [x], { T: type('float32'), out_type: type('int32') });
  }

  /** A slice of a tensor. @param size where -1 means the rest of the axis; constant, or the node that computes it */
  slice(
    name: string,
    x: Output,
    begin: readonly number[],
    size: readonly number[] | Output,
    dtype: Weight['dtype'] = 'float32',
  ): Output {
    const range = [this.literal(`${name}/begin`, begin, 'int32'), this.integers(`${name}/size`, size)];
    return this.node('Slice', name, [x, ...range], { T: type(dtype), Index: type('int32') });
  }

  /** A float32 tensor with another shape. @param shape constant, or the node that computes it */
  reshape(name: string, x: Output, shape: readonly number[] | Output): Output {
    const inputs = [x, this.integers(`${name}/shape`, shape)];
    return this.node('Reshape', name, inputs, { T: type('float32'), Tshape: type('int32') });
  }

  /** A float32 tensor with its axes permuted. */
  transpose(name: string, x: Output, order: readonly number[]): Output {
    const inputs = [x, this.literal(`${name}/order`, order, 'int32')];
    return this.node('Transpose', name, inputs, { T: type('float32'), Tperm: type('int32') });
  }

  concatenation(
    name: string,
    parts: readonly Output[],
    axis: number,
    dtype: Weight['dtype'] = 'float32',
  ): Output {
    const inputs = [...parts, this.literal(`${name}/axis`, axis, 'int32')];
    return this.node('ConcatV2', name, inputs, {
      ...{ T: type(dtype), N: int(parts.length), Tidx: type('int32') },
    });
  }

  /** The mean of a float32 tensor over some axes. */
  mean(name: string, x: Output, axes: readonly number[], keepsAxes = false): Output {
    const inputs = [x, this.literal(`${name}/axes`, axes, 'int32')];
    return this.node('Mean', name, inputs, {
      ...{ keep_dims: bool(keepsAxes), T: type('float32'), Tidx: type('int32') },
    });
  }

  private integers(name: string, values: readonly number[] | Output): Output {
    return typeof values === 'string' ? values : this.literal(name, values, 'int32');
  }
}

/** Output `index` of the node that an output belongs to. */
export function outputOf(node: Output, index: number): Output {
  return index === 0 ? node : `${node}:${index}`;
}
