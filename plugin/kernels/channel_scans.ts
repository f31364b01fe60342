/** Kernels of TreeScan that have a decay for every channel and no aggregate `leaves`: all other calls run on the host. */
import '../cpu/tree_scan.js';
import '../cpu/tree_scan_gradient.js';
import { limitKernel } from '../ops/kernels.js';
import type { TreeScan, TreeScanGradient } from '../ops/tree_scan.js';

export function limitToChannelScans(
  op: typeof TreeScan | typeof TreeScanGradient,
  backendName: string,
): void {
  limitKernel(op, backendName, ({ x, decay }, attributes) => {
    return attributes?.aggregate !== 'leaves' && decay?.shape[2] === x?.shape[2];
  });
}
