/**
 * GridGraph, FlattenGrid and UnflattenGrid: between images [N, H, W, C] and the vertices of a graph [N, V, C]. Nodes
 * of a converted model, so that one graph serves every image size; they compute nothing, so no backend needs kernels.
 */
import { reshape } from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { defineOp, OpError, showShape } from './op.js';

export const GridGraph = defineOp({
  name: 'GridGraph',
  doc: 'The 4-connected grid over the pixels of x: see gridGraph.',
  inputs: { x: { dtype: 'float32', shape: ['N', 'H', 'W', 'C'], doc: 'only its height and width are used' } },
  attributes: {},
  outputs: ['edges'],
  infer: ({ x: [, height, width] }) => [
    { shape: [(height - 1) * width + height * (width - 1), 2], dtype: 'int32' },
  ],
  compose: ({ x }) => gridGraph(x.shape[1] as number, x.shape[2] as number),
});

export const FlattenGrid = defineOp({
  name: 'FlattenGrid',
  doc: 'x[N, H, W, C] as [N, H*W, C]: pixel (y, x) is vertex y * W + x.',
  inputs: { x: { dtype: 'float32', shape: ['N', 'H', 'W', 'C'], doc: 'an image' } },
  attributes: {},
  outputs: ['y'],
  infer: ({ x: [batch, height, width, channels] }) => [
    { shape: [batch, height * width, channels], dtype: 'float32' },
  ],
  compose: ({ x }) => {
    const [batch, height, width, channels] = x.shape as number[];
    return reshape(x, [batch, height * width, channels]);
  },
});

export const UnflattenGrid = defineOp({
  name: 'UnflattenGrid',
  doc: 'x[N, H*W, C] as [N, H, W, C], with the height and width of `like`.',
  inputs: {
    x: { dtype: 'float32', shape: ['N', 'V', 'C'], doc: 'features by vertex' },
    like: { dtype: 'float32', shape: ['N', 'H', 'W', 'K'], doc: 'only its height and width are used' },
  },
  attributes: {},
  outputs: ['y'],
  infer: ({ x, like: [batch, height, width] }) => {
    if (x[0] !== batch || x[1] !== height * width) {
      throw new OpError(
        'UnflattenGrid',
        `x has shape ${showShape(x)}, wanted [${batch}, ${height * width}, C] for a grid of ${height} x ${width}`,
      );
    }
    return [{ shape: [batch, height, width, x[2]], dtype: 'float32' }];
  },
  compose: ({ x, like }) => {
    const [batch, height, width] = like.shape as number[];
    return reshape(x, [batch, height, width, x.shape[2] as number]);
  },
});
