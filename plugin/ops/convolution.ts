/**
 * Convolution: tfjs's image convolution as an op of this package that computes only the gradients that are needed. Used in
 * graphs that are trained, and in models on backends that have a kernel for it (../models/fusion.ts).
 */
import {
  type backend_util,
  Conv2DBackpropFilter,
  Conv2DBackpropInput,
  engine,
  fused,
  type NamedAttrMap,
  type NamedTensorMap,
  type Tensor,
  type Tensor1D,
  type Tensor4D,
} from '@tensorflow/tfjs-core';
import { activated, convolutionActivation } from './activations.js';
import { defineOp, float32, optional } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';
import { RowSum } from './linear.js';
import type { Letters } from './shape_letters.js';

/** Attributes of image convolutions. */
export const convolutionAttributes = {
  strides: {
    type: 'numbers',
    default: [1, 1],
    doc: 'vertical and horizontal stride, integers of at least 1',
  },
  padding: {
    type: 'numbers',
    default: [0, 0, 0, 0],
    doc: 'zero padding: rows at the top and bottom, columns at the left and right',
  },
} as const;

/** Strides, padding and dilations of a convolution. */
export interface ConvolutionAttributes {
  readonly strides: readonly number[];
  readonly padding: readonly number[];
  /** [1, 1] by default. */
  readonly dilations?: readonly number[];
}

const image = (doc: string) => float32(['B', 'H', 'W', 'I'], doc);
const filter = (doc: string) => float32(['P', 'Q', 'I', 'O'], doc);
const output = (doc: string) => float32(['B', 'Y', 'X', 'O'], doc);

/** Rows and columns of the output, checked against those of a gradient if one is given. */
const derived = {
  Y: ({ H, P, Y }: Letters, attributes: ConvolutionAttributes) =>
    extentOf('Convolution', 'rows', H, P, attributes, 0, Y),
  X: ({ W, Q, X }: Letters, attributes: ConvolutionAttributes) =>
    extentOf('Convolution', 'columns', W, Q, attributes, 1, X),
};

/**
 * Computes the rows or columns of a convolution's output.
 * @param size rows or columns of the image.
 * @param filterSize rows or columns of the filter.
 * @param given extent that another tensor has.
 * @throws {OpError} if an attribute is invalid, the filter is larger than the image, or `given` differs from the result.
 */
export function extentOf(
  op: string,
  what: string,
  size: number,
  filterSize: number,
  { strides, padding, dilations = [1, 1] }: ConvolutionAttributes,
  axis: number,
  given?: number,
): number {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (strides.length !== 2 || !strides.every((stride) => isCount(stride) && stride > 0)) {
    throw new OpError(op, `strides are [${strides}], expected two integers from 1`);
  }
  if (padding.length !== 4 || !padding.every(isCount)) {
    throw new OpError(op, `padding is [${padding}], expected four integers from 0`);
  }
  if (dilations.length !== 2 || !dilations.every((dilation) => isCount(dilation) && dilation > 0)) {
    throw new OpError(op, `dilations are [${dilations}], expected two integers from 1`);
  }
  const window = (filterSize - 1) * dilations[axis] + 1;
  const padded = size + padding[2 * axis] + padding[2 * axis + 1];
  if (padded < window) {
    throw new OpError(op, `an image of ${padded} padded ${what}, expected at least the filter's ${window}`);
  }
  const extent = Math.floor((padded - window) / strides[axis]) + 1;
  if (given !== undefined && given !== extent) {
    throw new OpError(op, `a gradient of ${given} ${what}, expected ${extent}`);
  }
  return extent;
}

const least = { P: 1, Q: 1 };

export const Convolution = defineOp({
  name: 'Convolution',
  doc:
    'y[i, j] = activation(bias + sum over p, q of x[i * stride + p, j * stride + q] @ filter[p, q]), zeros around the ' +
    'image.',
  inputs: {
    x: image('input image, channels last'),
    filter: filter('kernel: rows, columns, input channels, output channels'),
    bias: optional(float32(['O'], 'bias of each output channel; optional')),
  },
  attributes: { ...convolutionAttributes, activation: convolutionActivation },
  derived,
  least,
  outputs: { y: output('output image, channels last') },
  compose: ({ x, filter, bias }, attributes) => {
    const { strides, pad } = asTfjs(attributes);
    const given = { x: x as Tensor4D, filter: filter as Tensor4D, bias: bias as Tensor1D | undefined };
    return activated(fused.conv2d({ ...given, strides, pad }), attributes.activation);
  },
  // The gradient of an activation needs the sums.
  recorded: ({ x, filter, bias }, { activation, ...attributes }) => {
    if (activation === 'none') return undefined;
    const [sums] = runOp(Convolution, { x, filter, bias }, attributes);
    return activated(sums, activation);
  },
  gradient: {
    saves: ['x', 'filter'],
    compute: ({ x, filter }, [dy], { activation, ...attributes }) => {
      if (activation !== 'none') {
        throw new OpError(
          'Convolution',
          `the activation is ${activation}: the kernel alone has no gradient, a recorded call has`,
        );
      }
      const [, height, width] = x.shape as number[];
      const [rows, columns] = filter.shape as number[];
      return {
        x: () => runOp(ConvolutionInputGradient, { dy, filter }, { height, width, ...attributes })[0],
        filter: () => runOp(ConvolutionFilterGradient, { x, dy }, { rows, columns, ...attributes })[0],
        bias: () => runOp(RowSum, { x: dy })[0],
      };
    },
  },
});

export const ConvolutionInputGradient = defineOp({
  name: 'ConvolutionInputGradient',
  inner: true,
  doc: 'The gradient of Convolution with respect to x.',
  inputs: { dy: output('gradient with respect to y'), filter: filter('kernel of Convolution') },
  attributes: {
    height: { type: 'integer', letter: 'H', least: 0, doc: 'height of x' },
    width: { type: 'integer', letter: 'W', least: 0, doc: 'width of x' },
    ...convolutionAttributes,
  },
  derived,
  least,
  outputs: { dx: image('gradient with respect to x') },
  compose: ({ dy, filter }, { height, width, ...attributes }) =>
    runBuiltIn(
      Conv2DBackpropInput,
      { dy, filter },
      {
        inputShape: [dy.shape[0], height, width, filter.shape[2]],
        ...asTfjs(attributes),
      },
    ),
});

/** The size of a filter, where it is not that of an input. */
export const filterExtents = {
  rows: { type: 'integer', letter: 'P', least: 1, doc: 'number of filter rows' },
  columns: { type: 'integer', letter: 'Q', least: 1, doc: 'number of filter columns' },
} as const;

export const ConvolutionFilterGradient = defineOp({
  name: 'ConvolutionFilterGradient',
  inner: true,
  doc: 'The gradient of Convolution with respect to the filter.',
  inputs: { x: image('input x of Convolution'), dy: output('gradient with respect to y') },
  attributes: {
    ...filterExtents,
    ...convolutionAttributes,
  },
  derived,
  outputs: { dfilter: filter('gradient with respect to the filter') },
  compose: ({ x, dy }, { rows, columns, ...attributes }) =>
    runBuiltIn(
      Conv2DBackpropFilter,
      { x, dy },
      {
        filterShape: [rows, columns, x.shape[3], dy.shape[3]],
        ...asTfjs(attributes),
      },
    ),
});

/** Converts the attributes to those of tfjs's convolutions. */
function asTfjs({ strides, padding }: ConvolutionAttributes) {
  return { strides: [...strides] as [number, number], pad: padOf(padding), dataFormat: 'NHWC' as const };
}

/** Converts a padding to that of tfjs's convolutions. */
export function padOf([top, bottom, left, right]: readonly number[]): backend_util.ExplicitPadding {
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

function runBuiltIn(name: string, inputs: NamedTensorMap, attributes: object): Tensor {
  return engine().runKernel(name, inputs, attributes as NamedAttrMap);
}
