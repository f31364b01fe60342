/**
 * Layers of torch.nn as GraphDef nodes, channels-last. Constants carry the names of the PyTorch parameters that they
 * hold, in the layout that TensorFlow wants.
 */

import type { NamedParameter, Parameters } from '../parameters.js';
import { float, type GraphBuilder, int, type Output, text, type Weight } from './graph_builder.js';

export interface LinearOptions {
  /** [.., O, I] or [O, I, 1, 1], as PyTorch stores them. */
  readonly weights: NamedParameter;
  readonly bias?: NamedParameter;
  readonly activation?: 'none' | 'gelu' | 'silu';
  /** Only these outputs, from and to a fraction of all of them. */
  readonly part?: readonly [from: number, to: number];
}

/** Adds layers to a graph, each with weights under the names that PyTorch gives them. */
export class TorchLayers {
  private readonly constants = new Map<string, Output>();

  constructor(readonly graph: GraphBuilder) {}

  /** A parameter with sizes of 1 taken out, such as [1, D] as [D]. */
  vector(parameter: NamedParameter): Output {
    return this.constant(parameter, [parameter.shape.reduce((product, size) => product * size, 1)]);
  }

  asStored(parameter: NamedParameter): Output {
    return this.constant(parameter, parameter.shape);
  }

  /** A matrix [.., O, I] or [O, I, 1, 1] as [I, O]. */
  transposed(parameter: NamedParameter): Output {
    const [outputs, inputs] = matrixShape(parameter);
    return this.constant(parameter, [inputs, outputs], (values) => transpose(values, outputs, inputs));
  }

  /** A depthwise convolution over time, [D, 1, K], as [K, D]. */
  taps(parameter: NamedParameter): Output {
    const [channels, , kernel] = parameter.shape;
    return this.constant(parameter, [kernel, channels], (values) => transpose(values, channels, kernel));
  }

  /** x @ weights^T + bias. */
  linear(name: string, x: Output, { weights, bias, activation = 'none', part }: LinearOptions): Output {
    const [outputs] = matrixShape(weights);
    const matrix = this.transposed(weights);
    const inputNodes = bias ? [x, matrix, this.vector(bias)] : [x, matrix];
    const attributes = { activation: text(activation) };
    if (!part) return this.graph.node('Linear', name, inputNodes, attributes);
    const [first_output, end_output] = part.map((fraction) => int(fraction * outputs));
    return this.graph.node('Linear', name, inputNodes, { ...attributes, first_output, end_output });
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

  protected constant(
    parameter: NamedParameter,
    shape: readonly number[],
    arrange: (values: Float32Array) => Float32Array = (values) => values,
  ): Output {
    const { name } = parameter;
    const known = this.constants.get(name);
    if (known) return known; // another part of the same parameter
    const read: Weight['read'] = async () => arrange(await parameter.readFloat32());
    const constant = this.graph.constant(name, { shape, dtype: 'float32', read, quantizable: true });
    this.constants.set(name, constant);
    return constant;
  }
}

/** [O, I] of a parameter with further sizes of 1. */
function matrixShape({ shape }: NamedParameter): readonly number[] {
  return shape.filter((_, axis) => !isUnitAxis(shape, axis));
}

/** The group axis of [1, O, I] and the spatial axes of [O, I, 1, 1]. */
function isUnitAxis(shape: readonly number[], axis: number): boolean {
  return shape.length === 3 ? axis === 0 : axis >= 2;
}

/** Values of a row that are transposed at a time: the rows that they go to stay in the cache. */
const TRANSPOSED_COLUMNS = 16;

/** [rows, columns] -> [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const moved = new Float32Array(values.length);
  for (let first = 0; first < columns; first += TRANSPOSED_COLUMNS) {
    const end = Math.min(first + TRANSPOSED_COLUMNS, columns);
    for (let row = 0; row < rows; row++) {
      for (let column = first; column < end; column++)
        moved[column * rows + row] = values[row * columns + column];
    }
  }
  return moved;
}
