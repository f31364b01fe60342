/** TreeScanGradient on WebAssembly. */
import { TreeScanGradient } from '../plugin/ops/tree_scan.js';
import { registerWasmKernel } from './kernels.js';
import { edgesOf } from './tree_edges.js';
import { AGGREGATES, blocksOf } from './tree_scan.js';

registerWasmKernel(TreeScanGradient, (kernel) => {
  const { inputs, outputs, shapes, attributes, inParts, threads, scratch } = kernel;
  const { x, decay, y, dy } = inputs;
  const { dx, ddecay } = outputs;
  const [batch, vertices, channels] = shapes.x;
  const groups = shapes.decay[2];
  const { parts, block } = blocksOf(shapes.x, groups, threads, true);
  const edges = edgesOf(kernel);
  const space = scratch(attributes.aggregate === 'all' ? 4 * batch * vertices * channels : 0);
  inParts('tree_scan_gradient', parts, (index) => {
    const at = block(index);
    const of = (address: number) => address + 4 * at.values;
    return [
      ...([of(x), decay + 4 * at.decays, ...edges(at.image)] as const),
      ...([of(y), of(dy), of(dx), ddecay + 4 * at.decays, of(space)] as const),
      ...([vertices, channels, at.channels, groups, at.groups, AGGREGATES[attributes.aggregate]] as const),
    ];
  });
});
