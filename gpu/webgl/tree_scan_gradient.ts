/**
 * TreeScanGradient by doubling: see plugin/cpu/tree_scan_gradient.ts for the formulas. With r = log2(depth + 1)
 * rounded up: `root` r + 3 draws, `all` 3r + 5.
 */
import { limitToChannelScans } from '../../plugin/kernels/channel_scans.js';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { BACKEND, registerWebglKernel } from './kernels.js';
import {
  SubtreeDecayGradientProgram,
  WholeTreeDecayGradientProgram,
} from './programs/decay_gradient_program.js';
import { TreePasses } from './tree_passes.js';

registerWebglKernel(
  TreeScanGradient,
  ({ inputs, attributes: { aggregate }, ...kernel }) => {
    const { x, decay, order, parent, y, dy } = inputs;
    const { draw } = kernel;
    const passes = new TreePasses({ order, parent }, x.shape, kernel);
    const startDy = passes.gather(dy, decay);
    if (aggregate === 'root') {
      const dx = passes.scatter(passes.spread(startDy));
      return [dx, draw(new SubtreeDecayGradientProgram(x.shape), [y, dx, passes.tree])];
    }
    const subtreeDy = passes.subtreeSums(startDy, 'keep');
    const dx = passes.scatter(passes.wholeTreeSums(subtreeDy, startDy));
    const startX = passes.gather(x, decay);
    const subtreeX = passes.subtreeSums(startX, 'release');
    const gradient = new WholeTreeDecayGradientProgram(x.shape);
    return [dx, draw(gradient, [subtreeX, subtreeDy, decay, y, dx, passes.tree])];
  },
  { exact: true },
);

limitToChannelScans(TreeScanGradient, BACKEND);
