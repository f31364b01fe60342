/**
 * GridGraph, FlattenGrid and UnflattenGrid convert between images [N, H, W, C] and the vertices of a graph [N, V, C]. They
 * are nodes of a converted model, so that one graph serves every image size; they compute nothing, so no backend needs
 * kernels.
 */
import { reshape } from '@tensorflow/tfjs-core';
import { gridGraph } from '../graphs.js';
import { defineOp, float32, int32 } from './declare.js';

export const GridGraph = defineOp({
  name: 'GridGraph',
  doc: 'The 4-connected grid over the pixels of x: see gridGraph.',
  inputs: { x: float32(['N', 'H', 'W', 'C'], 'image; only its height and width are used') },
  attributes: {},
  derived: { E: '(H-1)*W+H*(W-1)' },
  outputs: { edges: int32(['E', '2'], 'edges as pairs of vertex ids') },
  least: { H: 1, W: 1 },
  compose: ({ x }) => gridGraph(x.shape[1] as number, x.shape[2] as number),
});

export const FlattenGrid = defineOp({
  name: 'FlattenGrid',
  doc: 'x[N, H, W, C] as [N, H*W, C]: pixel (y, x) is vertex y * W + x.',
  inputs: { x: float32(['N', 'H', 'W', 'C'], 'image, channels last') },
  attributes: {},
  outputs: { y: float32(['N', 'H*W', 'C'], 'features by vertex id') },
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
    x: float32(['N', 'H*W', 'C'], 'features by vertex id'),
    like: {
      ...float32(['N', 'H', 'W', 'K'], 'image whose height and width y takes; its values are not read'),
      shapeOnly: true,
    },
  },
  attributes: {},
  outputs: { y: float32(['N', 'H', 'W', 'C'], 'image, channels last') },
  compose: ({ x, like }) => {
    const [batch, height, width] = like.shape as number[];
    return reshape(x, [batch, height, width, x.shape[2] as number]);
  },
  gradient: { saves: ['x'], compute: ({ x }, [dy]) => ({ x: () => reshape(dy, x.shape) }) },
});
