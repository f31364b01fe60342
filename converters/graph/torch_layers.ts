/**
 * Layers of torch.nn as GraphDef nodes, channels-last. Constants are named after the PyTorch parameters that they hold, in
 * TensorFlow's layout.
 */

import {
  COMPUTED_ATTRIBUTE,
  fromTorch,
  LAYOUT_ATTRIBUTES,
  type TorchLayout,
} from '../../plugin/torch_layout.js';
import { elementsOf, type NamedParameter, type Parameters } from '../parameters.js';
import {
  type AttributeValue,
  bool,
  float,
  type GraphBuilder,
  int,
  ints,
  type Output,
  text,
} from './graph_builder.js';

export interface LinearOptions {
  /** [.., O, I] or [O, I, 1, 1], as PyTorch stores them. */
  readonly weights: NamedParameter;
  /** The matrix [I, O], for weights that PyTorch stores in another shape or order. */
  readonly matrix?: { readonly shape: readonly [inputs: number, outputs: number] } & Omit<
    TorchLayout,
    'shape'
  >;
  readonly bias?: NamedParameter;
  readonly activation?: 'none' | 'gelu' | 'silu';
  /** Only a range of the outputs, given as fractions of their number. */
  readonly part?: readonly [from: number, to: number];
}

/** Adds layers to a graph, with weights named as in PyTorch. */
export class TorchLayers {
  private readonly constants = new Map<string, Output>();

  constructor(readonly graph: GraphBuilder) {}

  /** A parameter without axes of size 1, such as [1, D] as [D]. */
  vector(parameter: NamedParameter): Output {
    return this.constant(parameter, [elementsOf(parameter.shape)]);
  }

  asStored(parameter: NamedParameter): Output {
    return this.constant(parameter, parameter.shape);
  }

  /** A matrix [.., O, I] or [O, I, 1, 1] as [I, O]. */
  transposed(parameter: NamedParameter): Output {
    const [outputs, inputs] = matrixShape(parameter);
    const units = [...parameter.shape.keys()].filter((axis) => isUnitAxis(parameter.shape, axis));
    const [output, input] = [...parameter.shape.keys()].filter((axis) => !units.includes(axis));
    return this.constant(parameter, [inputs, outputs], [...units, input, output]);
  }

  /** A depthwise convolution over time, [D, 1, K], as [K, D]. */
  causalFilter(parameter: NamedParameter): Output {
    const [channels, , kernel] = parameter.shape;
    return this.constant(parameter, [kernel, channels], [1, 2, 0]);
  }

  /** x @ weights^T + bias. */
  linear(name: string, x: Output, options: LinearOptions): Output {
    const { weights, matrix, bias, activation = 'none', part } = options;
    const outputs = matrix ? matrix.shape[1] : matrixShape(weights)[0];
    const product = matrix
      ? this.constant(weights, matrix.shape, matrix.axes, matrix.view)
      : this.transposed(weights);
    const inputNodes = bias ? [x, product, this.vector(bias)] : [x, product];
    const attributes = { activation: text(activation) };
    if (!part) return this.graph.node('Linear', name, inputNodes, attributes);
    const [first_output, end_output] = part.map((fraction) => int(fraction * outputs));
    return this.graph.node('Linear', name, inputNodes, { ...attributes, first_output, end_output });
  }

  /** nn.Linear with its bias. */
  dense(
    name: string,
    x: Output,
    module: Parameters,
    [outputs, inputs]: readonly [outputs: number, inputs: number],
    activation?: LinearOptions['activation'],
  ): Output {
    const weights = module.tensor('weight', [outputs, inputs]);
    return this.linear(name, x, { weights, bias: module.tensor('bias', [outputs]), activation });
  }

  /** @param channels of x, the last axis */
  layerNormalization(
    module: Parameters,
    channels: number,
    x: Output,
    epsilon: number,
    node = `${module.prefix}/normalization`,
  ): Output {
    const [gamma, beta] = ['weight', 'bias'].map((part) => this.vector(module.tensor(part, [channels])));
    return this.graph.node('LayerNormalization', node, [x, gamma, beta], { epsilon: float(epsilon) });
  }

  /**
   * A parameter as a constant: its axes, or those of its view, permuted. The node records the layout, so that trained values can
   * be written back.
   */
  protected constant(
    parameter: NamedParameter,
    shape: readonly number[],
    axes: readonly number[] = [...parameter.shape.keys()],
    view?: readonly number[],
  ): Output {
    const { name, computed } = parameter;
    const known = this.constants.get(name);
    if (known) return known; // another part of the same parameter
    const layout = { shape: parameter.shape, axes, view };
    const constant = this.graph.constant(
      name,
      {
        shape,
        dtype: 'float32',
        read: async () => fromTorch(await parameter.readFloat32(), layout),
        quantizable: true,
      },
      computed ? { [COMPUTED_ATTRIBUTE]: bool(true) } : layoutAttributes(layout),
    );
    this.constants.set(name, constant);
    return constant;
  }
}

/** [O, I] of a parameter with additional axes of size 1. */
function matrixShape({ shape }: NamedParameter): readonly number[] {
  return shape.filter((_, axis) => !isUnitAxis(shape, axis));
}

/** Whether an axis is the group axis of [1, O, I] or a spatial axis of [O, I, 1, 1]. */
function isUnitAxis(shape: readonly number[], axis: number): boolean {
  return shape.length === 3 ? axis === 0 : axis >= 2;
}

function layoutAttributes({ shape, axes, view }: TorchLayout): Record<string, AttributeValue> {
  return {
    [LAYOUT_ATTRIBUTES.shape]: ints(shape),
    [LAYOUT_ATTRIBUTES.axes]: ints(axes),
    ...(view && { [LAYOUT_ATTRIBUTES.view]: ints(view) }),
  };
}
