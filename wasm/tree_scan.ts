/** TreeScan on WebAssembly. */
import { limitToChannelScans } from '../plugin/kernels/channel_scans.js';
import { TreeScan } from '../plugin/ops/tree_scan.js';
import { registerWasmKernel } from './kernels.js';
import { BACKEND } from './tfjs_start.js';

/** Of tree_scan.cc. */
interface Functions {
  tree_scan(
    x: number,
    decay: number,
    order: number,
    parent: number,
    y: number,
    batch: number,
    vertices: number,
    channels: number,
    wholeTree: boolean,
  ): void;
}

registerWasmKernel<typeof TreeScan, Functions>(
  TreeScan,
  ({ inputs, outputs, shapes, attributes, functions }) => {
    const { x, decay, order, parent } = inputs;
    const [batch, vertices, channels] = shapes.x;
    const wholeTree = attributes.aggregate === 'all';
    functions.tree_scan(x, decay, order, parent, outputs.y, batch, vertices, channels, wholeTree);
  },
);

limitToChannelScans(TreeScan, BACKEND);
