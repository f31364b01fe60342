/** TreeScanGradient: tree_scan_gradient.cu. */
import { limitToChannelScans } from '../../plugin/kernels/channel_scans.js';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { BACKEND } from './backend/kernels.js';
import { registerCudaKernel } from './kernels.js';
import { treeLaunch } from './tree_grid.js';
import { scheduleOf } from './tree_schedule.js';

registerCudaKernel(TreeScanGradient, ({ inputs, outputs: { dx, ddecay }, shapes, attributes, call }) => {
  const { x, decay, order, parent, y, dy } = inputs;
  const schedules = scheduleOf(call, parent);
  const wholeTree = attributes.aggregate === 'all';
  const { suffix, grid, ringRows } = treeLaunch(call, shapes.x, wholeTree ? 2 : 1);
  const [, numVertices, channels] = shapes.x;
  const given = [
    decay,
    order,
    parent,
    y,
    dy,
    schedules,
    dx,
    ddecay,
    ringRows,
    numVertices,
    channels,
  ] as const;
  if (wholeTree) call.launch(`tree_scan_gradient_all${suffix}`, grid, x, ...given);
  else call.launch(`tree_scan_gradient_root${suffix}`, grid, ...given);
});

limitToChannelScans(TreeScanGradient, BACKEND);
