/**
 * Convolution: tfjs's own convolution of images as an op of this package, for graphs that are trained. Its gradients are
 * computed for those inputs alone that need one, and on backends where tfjs's are slow they have kernels.
 */
import {
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
import { defineOp } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';
import { RowSum } from './linear.js';
import type { Letters } from './shape_letters.js';

const attributes = {
  strides: {
    type: 'numbers',
    graphName: 'strides',
    default: [1, 1],
    doc: 'down and across, integers from 1',
  },
  padding: {
    type: 'numbers',
    graphName: 'padding',
    default: [0, 0, 0, 0],
    doc: 'rows of zeros above and below, columns to the left and to the right',
  },
} as const;

/** Sizes of a convolution. */
export interface ConvolutionAttributes {
  readonly strides: readonly number[];
  readonly padding: readonly number[];
}

const image = (doc: string) => ({ dtype: 'float32', shape: ['B', 'H', 'W', 'I'], doc }) as const;
const filter = (doc: string) => ({ dtype: 'float32', shape: ['P', 'Q', 'I', 'O'], doc }) as const;
const output = (doc: string) => ({ dtype: 'float32', shape: ['B', 'Y', 'X', 'O'], doc }) as const;

/** Rows and columns of the output, and that of a gradient, which must have as many. */
const derived = {
  Y: ({ H, P, Y }: Letters, attributes: ConvolutionAttributes) => extentOf('rows', H, P, attributes, 0, Y),
  X: ({ W, Q, X }: Letters, attributes: ConvolutionAttributes) => extentOf('columns', W, Q, attributes, 1, X),
};

function extentOf(
  what: string,
  size: number,
  window: number,
  { strides, padding }: ConvolutionAttributes,
  axis: number,
  given: number | undefined,
): number {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (strides.length !== 2 || !strides.every((stride) => isCount(stride) && stride > 0)) {
    throw new OpError('Convolution', `strides are [${strides}], expected two integers from 1`);
  }
  if (padding.length !== 4 || !padding.every(isCount)) {
    throw new OpError('Convolution', `padding is [${padding}], expected four integers from 0`);
  }
  const padded = size + padding[2 * axis] + padding[2 * axis + 1];
  if (padded < window) {
    throw new OpError(
      'Convolution',
      `an image of ${padded} padded ${what}, expected at least the filter's ${window}`,
    );
  }
  const extent = Math.floor((padded - window) / strides[axis]) + 1;
  if (given !== undefined && given !== extent) {
    throw new OpError('Convolution', `a gradient of ${given} ${what}, expected ${extent}`);
  }
  return extent;
}

const least = { P: 1, Q: 1 };

export const Convolution = defineOp({
  name: 'Convolution',
  doc: 'y[i, j] = bias + sum over p, q of x[i * stride + p, j * stride + q] @ filter[p, q], zeros around the image.',
  inputs: {
    x: image('channels last'),
    filter: filter('rows, columns, channels in and out'),
    bias: { dtype: 'float32', shape: ['O'], optional: true, doc: 'may be left out' },
  },
  attributes,
  derived,
  least,
  outputs: { y: output('channels last') },
  compose: ({ x, filter, bias }, attributes) => {
    const { strides, pad } = asTfjs(attributes);
    const given = { x: x as Tensor4D, filter: filter as Tensor4D, bias: bias as Tensor1D | undefined };
    return fused.conv2d({ ...given, strides, pad });
  },
  gradient: {
    saves: ['x', 'filter'],
    compute: ({ x, filter }, [dy], attributes) => {
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
  doc: 'The gradient of Convolution in x.',
  inputs: { dy: output('gradient of y'), filter: filter('as in Convolution') },
  attributes: {
    height: { type: 'integer', graphName: 'height', letter: 'H', least: 0, doc: 'of x' },
    width: { type: 'integer', graphName: 'width', letter: 'W', least: 0, doc: 'of x' },
    ...attributes,
  },
  derived,
  least,
  outputs: { dx: image('gradient of x') },
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

export const ConvolutionFilterGradient = defineOp({
  name: 'ConvolutionFilterGradient',
  doc: 'The gradient of Convolution in the filter.',
  inputs: { x: image('as in Convolution'), dy: output('gradient of y') },
  attributes: {
    rows: { type: 'integer', graphName: 'rows', letter: 'P', least: 1, doc: 'of the filter' },
    columns: { type: 'integer', graphName: 'columns', letter: 'Q', least: 1, doc: 'of the filter' },
    ...attributes,
  },
  derived,
  outputs: { dfilter: filter('gradient of the filter') },
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

/** The attributes as tfjs's convolutions take them. */
function asTfjs({ strides: [down, across], padding: [top, bottom, left, right] }: ConvolutionAttributes) {
  const none: [number, number] = [0, 0];
  const pad: [[number, number], [number, number], [number, number], [number, number]] = [
    none,
    [top, bottom],
    [left, right],
    none,
  ];
  return { strides: [down, across] as [number, number], pad, dataFormat: 'NHWC' as const };
}

function runBuiltIn(name: string, inputs: NamedTensorMap, attributes: object): Tensor {
  return engine().runKernel(name, inputs, attributes as NamedAttrMap);
}
