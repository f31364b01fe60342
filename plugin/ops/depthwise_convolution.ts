/** DepthwiseConvolution: tfjs's own, followed by an activation. Where models use it is decided in ../models/fusion.ts. */
import { depthwiseConv2d, type Tensor4D } from '@tensorflow/tfjs-core';
import { activated, activationAttribute } from './activations.js';
import { defineOp, float32 } from './declare.js';

export const DepthwiseConvolution = defineOp({
  name: 'DepthwiseConvolution',
  doc:
    'y[i, j, c] = activation(sum over p, q of x[i + p - floor((P-1)/2), j + q - floor((Q-1)/2), c] * filter[p, q, c]), ' +
    'zeros around the image.',
  inputs: {
    x: float32(['B', 'H', 'W', 'C'], 'input image, channels last'),
    filter: float32(['P', 'Q', 'C', '1'], 'one kernel per channel'),
  },
  attributes: { activation: activationAttribute },
  least: { P: 1, Q: 1 },
  outputs: { y: float32(['B', 'H', 'W', 'C'], 'output image, same shape as x') },
  compose: ({ x, filter }, { activation }) =>
    activated(depthwiseConv2d(x as Tensor4D, filter as Tensor4D, 1, 'same'), activation),
});
