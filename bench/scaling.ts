/** Whether the times of tree scans and trees grow linearly with the number of vertices. */
import * as tf from '@tensorflow/tfjs-core';
import { boruvkaMSTSpec } from '../plugin/ops/boruvka_mst.spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import type { Native } from './native.js';
import { OTHER_CODE } from './other_code.js';
import { perfCall, triadCall } from './perf_calls.js';
import { medianTimes } from './timing.js';

const SIDES = [7, 14, 28, 56, 112, 224, 512];
/** Enough that rows fill cache lines; the largest grid then has 32 MB per tensor. */
const CHANNELS = 32;

export interface ScalingTime {
  readonly vertices: number;
  /** Nanoseconds per vertex and channel. */
  readonly scanNs: number;
  /** The triad of the same bytes, nanoseconds per vertex and channel: the speed of the caches at this size. */
  readonly triadNs: number;
  /** Nanoseconds per vertex, for tree and order. */
  readonly treeNs: number;
  /** For the scan and the tree in native code, if it was compiled. */
  readonly nativeScanNs?: number;
  readonly nativeTreeNs?: number;
}

/** Measures square grids of 49 to 262,144 vertices on the current backend. */
export async function benchScaling(native: Native): Promise<ScalingTime[]> {
  const times: ScalingTime[] = [];
  for (const side of SIDES) {
    const size = { side, channels: CHANNELS };
    const calls = [perfCall(treeScanSpec, size), perfCall(boruvkaMSTSpec, size)];
    const triad = triadCall(size);
    const [scan, tree] = calls.map(({ spec, runs }) => runs[spec.op.name]);
    const ms = await medianTimes(
      {
        scan: () => tf.dispose(scan()),
        triad: () => tf.dispose(triad.run()),
        tree: () => tf.dispose(tree()),
      },
      { rounds: 1 },
    );
    const [nativeScan, nativeTree] = calls.map((call) => {
      const problem = OTHER_CODE.get(call.spec)?.native(call);
      return problem && 'run' in native ? 1000 * native.run(problem).us : undefined;
    });
    for (const call of [...calls, triad]) call.dispose();
    const vertices = side * side;
    times.push({
      vertices,
      scanNs: (ms.scan * 1e6) / vertices / CHANNELS,
      triadNs: (ms.triad * 1e6) / vertices / CHANNELS,
      treeNs: (ms.tree * 1e6) / vertices,
      ...(nativeScan && { nativeScanNs: nativeScan / vertices / CHANNELS }),
      ...(nativeTree && { nativeTreeNs: nativeTree / vertices }),
    });
  }
  return times;
}
