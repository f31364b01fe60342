/** QuantizedConvolution: an image convolution with 8-bit weights. */
import { fused, type Tensor1D, type Tensor4D } from '@tensorflow/tfjs-core';
import { convolutionAttributes, extentOf, filterExtents, padOf } from './convolution.js';
import { defineOp, float32 } from './declare.js';
import { wordsOf } from './quantized_codes.js';
import { dequantized, quantizedInputs, refusedGradient } from './quantized_weights.js';

export const QuantizedConvolution = defineOp({
  name: 'QuantizedConvolution',
  doc:
    'activation(bias + sum over p, q of x[i * stride + p * dilation, ..] @ filter[p, q]), zeros around the image; ' +
    'filter [P, Q, I, O] is codes * scales. cpu and wasm multiply integers and quantise the values under the filter ' +
    'to 7 bits.',
  inputs: {
    x: float32(['B', 'H', 'W', 'I'], 'input image, channels last'),
    ...quantizedInputs,
  },
  attributes: {
    ...filterExtents,
    ...convolutionAttributes,
    dilations: {
      type: 'numbers',
      default: [1, 1],
      doc: 'vertical and horizontal dilation, integers of at least 1',
    },
    activation: {
      type: 'string',
      default: 'none',
      oneOf: ['none', 'relu'],
      doc: 'activation applied to the sums',
    },
  },
  derived: {
    K: ({ P, Q, I }) => wordsOf(P * Q * I),
    Y: ({ H, P }, attributes) => extentOf('QuantizedConvolution', 'rows', H, P, attributes, 0),
    X: ({ W, Q }, attributes) => extentOf('QuantizedConvolution', 'columns', W, Q, attributes, 1),
  },
  outputs: { y: float32(['B', 'Y', 'X', 'O'], 'output image, channels last') },
  compose: ({ x, codes, scales, bias }, { rows, columns, strides, padding, dilations, activation }) => {
    const shape = [rows, columns, x.shape[3] as number, codes.shape[1] as number];
    return fused.conv2d({
      x: x as Tensor4D,
      filter: dequantized('QuantizedConvolution', codes, scales, shape) as Tensor4D,
      bias: bias as Tensor1D | undefined,
      strides: [...strides] as [number, number],
      dilations: [...dilations] as [number, number],
      pad: padOf(padding),
      ...(activation === 'relu' && { activation }),
    });
  },
  gradient: refusedGradient('QuantizedConvolution'),
});
