/**
 * TreeScanGradient: tree_scan_gradient.cu. One launch; for `leaves`, and if channels share decays, a second one computes the
 * gradient of the decays.
 */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { WARP } from './backend/kernels/constants.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { treeLaunch } from './tree_grid.js';
import { scanTrees } from './tree_scan.js';
import { scheduleOf } from './tree_schedule.js';

const FLOAT_BYTES = 4;

registerCudaKernel(TreeScanGradient, ({ inputs, outputs: { dx, ddecay }, shapes, attributes, call }) => {
  const { x, decay, order, parent, y, dy } = inputs;
  const { aggregate } = attributes;
  const [, numVertices, channels] = shapes.x;
  const groups = shapes.decay[2];
  const items = sizeOf(shapes.decay);
  const size = groups === 0 ? 0 : channels / groups;
  const threads = Math.min(WARP, 2 ** Math.ceil(Math.log2(Math.max(size, 1))));
  const grid = gridOf(items * threads);
  const isShared = groups < channels;

  if (aggregate === 'leaves' || (aggregate === 'root' && isShared)) {
    scanTrees(call, { x: dy, decay, order, parent }, dx, aggregate === 'root' ? 'leaves' : 'root');
    const [below, above] = aggregate === 'root' ? [y, dx] : [dx, y];
    const sizes = [items, numVertices, groups, size, threads];
    call.launch('tree_decay_products', grid, below, above, order, parent, ddecay, ...sizes);
    return;
  }
  const { suffix, grid: blocks, ringRows } = treeLaunch(call, shapes.x, aggregate === 'all' ? 2 : 1);
  const slopes = isShared ? call.scratch(FLOAT_BYTES * sizeOf(shapes.x)) : ddecay;
  const given = [decay, order, parent, y, dy, scheduleOf(call, parent), dx, slopes] as const;
  const sizes = [ringRows, numVertices, channels];
  if (aggregate === 'root') {
    call.launch(`tree_scan_gradient_root${suffix}`, blocks, ...given, ...sizes);
    return;
  }
  if (!isShared) {
    call.launch(`tree_scan_gradient_all${suffix}`, blocks, x, ...given, ...sizes);
    return;
  }
  call.launch(`tree_scan_gradient_shared${suffix}`, blocks, x, ...given, ...sizes, groups);
  call.launch('tree_decay_sums', grid, slopes, ddecay, items, size, threads);
});
