/**
 * Scans whose channels share a decay, as in tree filters, compared with reading x and writing y once, with the scan of decays
 * expanded to all channels, and with that scan including the expansion.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { PerfSize } from '../plugin/ops/spec/spec.js';
import { type Aggregate, treeScan } from '../plugin/ops/tree_scan.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import { perfCall, STAGES, sizeName } from './perf_calls.js';
import { medianTimes, type Timing } from './timing.js';

/** The first stage of GrootV-T and the first level of GG-SSM, at 224 x 224. */
const SIZES: readonly PerfSize[] = [STAGES[0], { side: 224, channels: 160 }];

const AGGREGATES: readonly Aggregate[] = ['all', 'root', 'leaves'];

export interface GroupTime {
  readonly size: string;
  readonly aggregate: Aggregate;
  /** Scan with one decay per vertex; all times are in microseconds. */
  readonly us: number;
  /** tfjs's own Neg of x. */
  readonly streamUs: number;
  /** Scan with one decay per channel, without and with the expansion of the decays. */
  readonly expandedUs: number;
  readonly expandingUs: number;
}

/** Measures the current backend. */
export async function benchGroups(
  sizes: readonly PerfSize[] = SIZES,
  timing: Timing = { rounds: 3, time: 60 },
): Promise<GroupTime[]> {
  const times: GroupTime[] = [];
  for (const size of sizes) times.push(...(await benchSize(size, timing)));
  return times;
}

async function benchSize(size: PerfSize, timing: Timing): Promise<GroupTime[]> {
  const call = perfCall(treeScanSpec, size);
  const { x, decay: ofChannels, order, parent } = call.samples[0].inputs;
  const tree = { order, parent } as Parameters<typeof treeScan>[2];
  const decay = tf.slice(ofChannels, [0, 0, 0], [-1, -1, 1]);
  const expand = () => tf.tile(decay, [1, 1, size.channels]);
  const expanded = expand();
  const runs: Record<string, () => tf.Tensor> = { stream: () => tf.neg(x) };
  for (const aggregate of AGGREGATES) {
    runs[aggregate] = () => treeScan(x, decay, tree, { aggregate });
    runs[`${aggregate} expanded`] = () => treeScan(x, expanded, tree, { aggregate });
    runs[`${aggregate} expanding`] = () => tf.tidy(() => treeScan(x, expand(), tree, { aggregate }));
  }
  const timed = Object.entries(runs).map(([name, run]) => [name, () => run().dispose()] as const);
  const ms = await medianTimes<string>(Object.fromEntries(timed), timing);
  tf.dispose([decay, expanded]);
  call.dispose();
  return AGGREGATES.map((aggregate) => ({
    size: sizeName(size),
    aggregate,
    us: 1000 * ms[aggregate],
    streamUs: 1000 * ms.stream,
    expandedUs: 1000 * ms[`${aggregate} expanded`],
    expandingUs: 1000 * ms[`${aggregate} expanding`],
  }));
}
