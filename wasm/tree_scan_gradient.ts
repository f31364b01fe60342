/** TreeScanGradient on WebAssembly. */
import { TreeScanGradient } from '../plugin/ops/tree_scan.js';
import { registerWasmKernel } from './kernels.js';
import { AGGREGATES } from './tree_scan.js';

/** Of tree_scan_gradient.cc. */
interface Functions {
  tree_scan_gradient(
    x: number,
    decay: number,
    order: number,
    parent: number,
    y: number,
    dy: number,
    dx: number,
    ddecay: number,
    scratch: number,
    batch: number,
    vertices: number,
    channels: number,
    groups: number,
    aggregate: number,
  ): void;
}

registerWasmKernel<typeof TreeScanGradient, Functions>(
  TreeScanGradient,
  ({ inputs, outputs: { dx, ddecay }, shapes, attributes, functions, scratch }) => {
    const { x, decay, order, parent, y, dy } = inputs;
    const [batch, vertices, channels] = shapes.x;
    const space = attributes.aggregate === 'all' ? scratch(4 * vertices * channels) : 0;
    functions.tree_scan_gradient(
      x,
      decay,
      order,
      parent,
      y,
      dy,
      dx,
      ddecay,
      space,
      batch,
      vertices,
      channels,
      shapes.decay[2],
      AGGREGATES[attributes.aggregate],
    );
  },
);
