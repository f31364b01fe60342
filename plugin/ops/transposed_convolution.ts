/**
 * TransposedConvolution: a transposed convolution whose stride equals the size of its filter, so that each pixel becomes a
 * separate tile of pixels. Where models use it is decided in ../models/fusion.ts.
 */
import { reshape, transpose } from '@tensorflow/tfjs-core';
import { activated, convolutionActivation } from './activations.js';
import { defineOp, float32, optional } from './declare.js';
import { linear } from './linear.js';

const extent = { type: 'integer', default: 1, least: 1 } as const;

export const TransposedConvolution = defineOp({
  name: 'TransposedConvolution',
  doc: 'y[i * Y + p, j * X + q] = activation(x[i, j] @ weights[:, p, q] + bias[p, q]): every pixel becomes a tile.',
  inputs: {
    x: float32(['B', 'H', 'W', 'I'], 'input image, channels last'),
    weights: float32(['I', 'T'], 'weights; columns run over tile rows, tile columns and output channels'),
    bias: optional(float32(['T'], 'bias of each column of weights; optional')),
  },
  attributes: {
    rows: { ...extent, letter: 'Y', doc: 'number of rows Y of a tile' },
    columns: { ...extent, letter: 'X', doc: 'number of columns X of a tile' },
    activation: convolutionActivation,
  },
  derived: { O: 'T/(Y*X)' },
  least: { O: 1 },
  outputs: { y: float32(['B', 'Y*H', 'X*W', 'O'], 'output image, channels last') },
  compose: ({ x, weights, bias }, { rows, columns, activation }) => {
    const [batch, height, width] = x.shape as number[];
    const outputs = (weights.shape[1] as number) / (rows * columns);
    const tiles = reshape(linear(x, weights, bias), [batch, height, width, rows, columns * outputs]);
    const y = reshape(transpose(tiles, [0, 1, 3, 2, 4]), [batch, rows * height, columns * width, outputs]);
    return activated(y, activation);
  },
});
