/**
 * GridGraph, FlattenGrid and UnflattenGrid convert between images [N, H, W, C] and the vertices of a graph [N, V, C]. They
 * are nodes of a converted model, so that one graph serves every image size; they compute nothing, so no backend needs
 * kernels.
 */
import { reshape } from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { defineOp } from './declare.js';

export const GridGraph = defineOp({
  name: 'GridGraph',
  doc: 'The 4-connected grid over the pixels of x: see gridGraph.',
  inputs: { x: { dtype: 'float32', shape: ['N', 'H', 'W', 'C'], doc: 'only its height and width are used' } },
  attributes: {},
  derived: { E: '(H-1)*W+H*(W-1)' },
  outputs: { edges: { dtype: 'int32', shape: ['E', '2'], doc: 'vertex ids of the two ends of every edge' } },
  least: { H: 1, W: 1 },
  compose: ({ x }) => gridGraph(x.shape[1] as number, x.shape[2] as number),
});

export const FlattenGrid = defineOp({
  name: 'FlattenGrid',
  doc: 'x[N, H, W, C] as [N, H*W, C]: pixel (y, x) is vertex y * W + x.',
  inputs: { x: { dtype: 'float32', shape: ['N', 'H', 'W', 'C'], doc: 'an image' } },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: ['N', 'H*W', 'C'], doc: 'features by vertex' } },
  compose: ({ x }) => {
    const [batch, height, width, channels] = x.shape as number[];
    return reshape(x, [batch, height * width, channels]);
  },
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => ({ x: () => reshape(dy, x.shape) }) },
});

export const UnflattenGrid = defineOp({
  name: 'UnflattenGrid',
  doc: 'x[N, H*W, C] as [N, H, W, C], with the height and width of `like`.',
  inputs: {
    x: { dtype: 'float32', shape: ['N', 'H*W', 'C'], doc: 'features by vertex' },
    like: {
      dtype: 'float32',
      shape: ['N', 'H', 'W', 'K'],
      shapeOnly: true,
      doc: 'only its height and width are used',
    },
  },
  attributes: {},
  outputs: { y: { dtype: 'float32', shape: ['N', 'H', 'W', 'C'], doc: 'an image' } },
  compose: ({ x, like }) => {
    const [batch, height, width] = like.shape as number[];
    return reshape(x, [batch, height, width, x.shape[2] as number]);
  },
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => ({ x: () => reshape(dy, x.shape) }) },
});
