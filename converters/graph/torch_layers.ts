/**
 * Layers of torch.nn as GraphDef nodes, channels-last. Constants carry the names of the PyTorch parameters that they
 * hold, in the layout that TensorFlow wants.
 */
import {
  bool,
  float,
  type GraphBuilder,
  int,
  ints,
  type Output,
  text,
  texts,
  type,
  type Weight,
} from './graph_builder.js';

/** A parameter of a PyTorch module, read when it is written. */
export interface Parameter {
  readonly shape: readonly number[];
  /** Number of values. */
  readonly elements: number;
  /** Row-major values. */
  readFloat32(): Promise<Float32Array>;
}

export interface LinearOptions {
  /** Name of the parameter. */
  readonly weights: string;
  readonly bias?: string;
  readonly activation?: 'none' | 'gelu' | 'silu';
  /** Only these outputs, from and to a fraction of all of them. */
  readonly part?: readonly [from: number, to: number];
}

/** Adds layers to a graph, each with weights under the names that PyTorch gives them. */
export class TorchLayers {
  private readonly constants = new Map<string, Output>();

  constructor(
    readonly graph: GraphBuilder,
    private readonly state: ReadonlyMap<string, Parameter>,
  ) {}

  shape(name: string): readonly number[] {
    return this.tensor(name).shape;
  }

  /** A parameter with sizes of 1 taken out, such as [1, D] as [D]. */
  vector(name: string): Output {
    const { elements } = this.tensor(name);
    return this.constant(name, [elements]);
  }

  asStored(name: string): Output {
    return this.constant(name, this.shape(name));
  }

  /** A matrix [.., O, I] or [O, I, 1, 1] as [I, O]. */
  transposed(name: string): Output {
    const [outputs, inputs] = this.shape(name).filter((_, axis, shape) => !isUnitAxis(shape, axis));
    return this.constant(name, [inputs, outputs], (values) => transpose(values, outputs, inputs));
  }

  /** Taps of a depthwise convolution over time, [D, 1, K], as [K, D]. */
  taps(name: string): Output {
    const [channels, , taps] = this.shape(name);
    return this.constant(name, [taps, channels], (values) => transpose(values, channels, taps));
  }

  /** x @ weights^T + bias, with weights [.., O, I] or [O, I, 1, 1] as PyTorch stores them. */
  linear(name: string, x: Output, { weights, bias, activation = 'none', part }: LinearOptions): Output {
    const [outputs] = this.shape(weights).filter((_, axis, shape) => !isUnitAxis(shape, axis));
    const matrix = this.transposed(weights);
    const inputNodes = bias ? [x, matrix, this.vector(bias)] : [x, matrix];
    const attributes = { activation: text(activation) };
    if (!part) return this.graph.node('Linear', name, inputNodes, attributes);
    const [first_output, end_output] = part.map((fraction) => int(fraction * outputs));
    return this.graph.node('Linear', name, inputNodes, { ...attributes, first_output, end_output });
  }

  /** 3 x 3 convolution, one pixel of zeros around the image. */
  convolution(name: string, x: Output, { stride, bias }: { stride: number; bias: boolean }): Output {
    const [outputs, inputs, height, width] = this.shape(`${name}.weight`);
    const taps = height * width;
    // OIHW -> HWIO: [O, I * taps] -> [I * taps, O], then I and the taps change places.
    const filter = this.constant(`${name}.weight`, [height, width, inputs, outputs], (values) =>
      swapLeading(transpose(values, outputs, inputs * taps), inputs, taps, outputs),
    );
    const attributes = {
      strides: ints([1, stride, stride, 1]),
      // PyTorch pads both sides; TensorFlow's SAME would pad one side alone at stride 2.
      padding: text('EXPLICIT'),
      explicit_paddings: ints([0, 0, 1, 1, 1, 1, 0, 0]),
      data_format: text('NHWC'),
      dilations: ints([1, 1, 1, 1]),
      T: type('float32'),
    };
    const node = `${name}/convolution`;
    if (!bias) return this.graph.node('Conv2D', node, [x, filter], attributes);
    return this.graph.node('_FusedConv2D', node, [x, filter, this.vector(`${name}.bias`)], {
      ...attributes,
      num_args: int(1),
      fused_ops: texts(['BiasAdd']),
    });
  }

  /** 3 x 3 depthwise convolution at stride 1. */
  depthwiseConvolution(name: string, x: Output): Output {
    const [channels, , height, width] = this.shape(`${name}.weight`);
    const filter = this.constant(`${name}.weight`, [height, width, channels, 1], (values) =>
      transpose(values, channels, height * width),
    );
    return this.graph.node('DepthwiseConv2dNative', `${name}/convolution`, [x, filter], {
      strides: ints([1, 1, 1, 1]),
      padding: text('SAME'), // at stride 1 the same as PyTorch's one pixel on every side
      data_format: text('NHWC'),
      dilations: ints([1, 1, 1, 1]),
      T: type('float32'),
    });
  }

  layerNormalization(name: string, x: Output, epsilon: number, node = `${name}/normalization`): Output {
    const [gamma, beta] = [this.vector(`${name}.weight`), this.vector(`${name}.bias`)];
    return this.graph.node('LayerNormalization', node, [x, gamma, beta], { epsilon: float(epsilon) });
  }

  /** With the running statistics. */
  batchNormalization(name: string, x: Output, epsilon: number): Output {
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      this.vector(`${name}.${part}`),
    );
    return this.graph.node('FusedBatchNormV3', `${name}/normalization`, [x, ...parts], {
      epsilon: float(epsilon),
      data_format: text('NHWC'),
      is_training: bool(false),
      T: type('float32'),
      U: type('float32'),
    });
  }

  private constant(
    name: string,
    shape: readonly number[],
    arrange: (values: Float32Array) => Float32Array = (values) => values,
  ): Output {
    const known = this.constants.get(name);
    if (known) return known; // another part of the same parameter
    const tensor = this.tensor(name);
    const read: Weight['read'] = async () => arrange(await tensor.readFloat32());
    const constant = this.graph.constant(name, { shape, dtype: 'float32', read, quantizable: true });
    this.constants.set(name, constant);
    return constant;
  }

  private tensor(name: string): Parameter {
    const tensor = this.state.get(name);
    if (!tensor) throw new Error(`the state dict has no ${name}; its architecture was not checked`);
    return tensor;
  }
}

/** The group axis of [1, O, I] and the spatial axes of [O, I, 1, 1]. */
function isUnitAxis(shape: readonly number[], axis: number): boolean {
  return shape.length === 3 ? axis === 0 : axis >= 2;
}

/** [rows, columns] -> [columns, rows]. */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const moved = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      moved[column * rows + row] = values[row * columns + column];
  }
  return moved;
}

/** [a, b, c] -> [b, a, c]. */
function swapLeading(values: Float32Array, a: number, b: number, c: number): Float32Array {
  const moved = new Float32Array(values.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      moved.set(values.subarray((i * b + j) * c, (i * b + j + 1) * c), (j * a + i) * c);
    }
  }
  return moved;
}
