/** TreeScan: tree_scan.cu. */
import { limitToChannelScans } from '../../plugin/kernels/channel_scans.js';
import { TreeScan } from '../../plugin/ops/tree_scan.js';
import { BACKEND } from './backend/kernels.js';
import { registerCudaKernel } from './kernels.js';
import { treeLaunch } from './tree_grid.js';
import { scheduleOf } from './tree_schedule.js';

registerCudaKernel(TreeScan, ({ inputs, outputs: { y }, shapes, attributes, call }) => {
  const { x, decay, order, parent } = inputs;
  const schedules = scheduleOf(call, parent);
  const { suffix, grid, ringRows } = treeLaunch(call, shapes.x, 1);
  const [, numVertices, channels] = shapes.x;
  const wholeTree = Number(attributes.aggregate === 'all');
  const tree = [order, parent, schedules] as const;
  call.launch(`tree_scan${suffix}`, grid, x, decay, ...tree, y, ringRows, numVertices, channels, wholeTree);
});

limitToChannelScans(TreeScan, BACKEND);
