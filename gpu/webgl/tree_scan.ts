/**
 * TreeScan by doubling. With r = log2(depth + 1) rounded up: `root` and `leaves` r + 2 draws, `all` 2r + 3, plus one for
 * each input that is not packed.
 */
import { TreeScan } from '../../plugin/ops/tree_scan.js';
import { registerWebglKernel } from './kernels.js';
import { TreePasses } from './tree_passes.js';

registerWebglKernel(
  TreeScan,
  ({ inputs: { x, decay, order, parent }, attributes: { aggregate }, ...kernel }) => {
    const passes = new TreePasses({ order, parent }, x.shape, kernel);
    const start = passes.gather(x, decay);
    if (aggregate === 'leaves') return [passes.scatter(passes.spread(start))];
    const subtree = passes.subtreeSums(start, 'keep');
    if (aggregate === 'root') return [passes.scatter(subtree)];
    return [passes.scatter(passes.wholeTreeSums(subtree, start))];
  },
  { exact: true },
);
