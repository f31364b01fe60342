/** TreeScan: tree_scan.cu. */
import { type Aggregate as Aggregated, TreeScan } from '../../plugin/ops/tree_scan.js';
import type { DeviceTensor, KernelCall } from './backend/kernels.js';
import { Aggregate } from './constants.js';
import { registerCudaKernel } from './kernels.js';
import { treeLaunch } from './tree_grid.js';
import { scheduleOf } from './tree_schedule.js';

const AGGREGATES = { root: Aggregate.ROOT, all: Aggregate.ALL, leaves: Aggregate.LEAVES } as const;

interface Scanned {
  readonly x: DeviceTensor;
  readonly decay: DeviceTensor;
  readonly order: DeviceTensor;
  readonly parent: DeviceTensor;
}

/** Computes sums of x along trees into y, in one launch. */
export function scanTrees(
  call: KernelCall,
  { x, decay, order, parent }: Scanned,
  y: DeviceTensor,
  aggregate: Aggregated,
): void {
  const { suffix, grid, ringRows } = treeLaunch(call, x.shape, 1);
  const tree = [order, parent, scheduleOf(call, parent)] as const;
  const [, numVertices, channels] = x.shape;
  const groups = decay.shape[2];
  const sizes = [ringRows, numVertices, channels, AGGREGATES[aggregate]];
  const given = [x, decay, ...tree, y, ...sizes] as const;
  if (groups === channels && aggregate !== 'leaves') call.launch(`tree_scan${suffix}`, grid, ...given);
  else call.launch(`tree_scan_shared${suffix}`, grid, ...given, groups);
}

registerCudaKernel(TreeScan, ({ inputs, outputs: { y }, attributes: { aggregate }, call }) =>
  scanTrees(call, inputs, y, aggregate),
);
