/** TreeScanGradient on WebAssembly. */
import { TreeScanGradient } from '../plugin/ops/tree_scan.js';
import { registerWasmKernel } from './kernels.js';
import { AGGREGATES, blocksOf } from './tree_scan.js';

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
    vertices: number,
    stride: number,
    channels: number,
    decayStride: number,
    groups: number,
    aggregate: number,
  ): void;
}

registerWasmKernel<typeof TreeScanGradient, Functions>(
  TreeScanGradient,
  ({ inputs, outputs: { dx, ddecay }, shapes, attributes: { aggregate }, inParts, threads, scratch }) => {
    const { x, decay, order, parent, y, dy } = inputs;
    const [batch, vertices, channels] = shapes.x;
    const groups = shapes.decay[2];
    const { parts, block } = blocksOf(shapes.x, groups, threads, true);
    const space = scratch(aggregate === 'all' ? 4 * batch * vertices * channels : 0);
    inParts('tree_scan_gradient', parts, (index) => {
      const at = block(index);
      const of = (address: number) => address + 4 * at.values;
      return [
        ...([of(x), decay + 4 * at.decays, order + 4 * at.tree, parent + 4 * at.tree] as const),
        ...([of(y), of(dy), of(dx), ddecay + 4 * at.decays, of(space)] as const),
        ...([vertices, channels, at.channels, groups, at.groups, AGGREGATES[aggregate]] as const),
      ];
    });
  },
);
