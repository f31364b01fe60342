/** TreeScan on WebAssembly. */
import { TreeScan } from '../plugin/ops/tree_scan.js';
import { Aggregate } from './constants.js';
import { registerWasmKernel } from './kernels.js';

/** Of tree_scan.cc. */
interface Functions {
  tree_scan(
    x: number,
    decay: number,
    order: number,
    parent: number,
    y: number,
    isLeaf: number,
    batch: number,
    vertices: number,
    channels: number,
    groups: number,
    aggregate: number,
  ): void;
}

/** The numbers that the functions of both kernels take. */
export const AGGREGATES = { root: Aggregate.ROOT, all: Aggregate.ALL, leaves: Aggregate.LEAVES } as const;

registerWasmKernel<typeof TreeScan, Functions>(
  TreeScan,
  ({ inputs, outputs, shapes, attributes, functions, scratch }) => {
    const { x, decay, order, parent } = inputs;
    const [batch, vertices, channels] = shapes.x;
    const groups = shapes.decay[2];
    const aggregate = AGGREGATES[attributes.aggregate];
    const isLeaf = scratch(vertices);
    functions.tree_scan(
      x,
      decay,
      order,
      parent,
      outputs.y,
      isLeaf,
      batch,
      vertices,
      channels,
      groups,
      aggregate,
    );
  },
);
