/** The time of each op at the four stages of GrootV-T, and of alternatives. */
import * as tf from '@tensorflow/tfjs-core';
import { withBuiltInOps } from '../conformance/built_in_ops.js';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import type { PerfSize } from '../plugin/ops/spec/spec.js';
import type { Native } from './native.js';
import { OTHER_CODE } from './other_code.js';
import { perfCall, STAGES, sizeName, TIMED_SPECS, triadCall } from './perf_calls.js';
import { medianTimes, type Timing } from './timing.js';

/** So small that a call costs the same whatever the op computes. */
const SMALLEST: PerfSize = { side: 2, channels: 2 };
export const SMALLEST_STAGE = sizeName(SMALLEST);

/** One op at one stage. Times are in microseconds and measured through the public API of tfjs. */
export interface OpTime {
  readonly stage: string;
  /** Name of the op and of its variant. */
  readonly op: string;
  readonly us: number;
  /** c = a + b with tfjs's own Add on this backend, over as many bytes as the op reads and writes. */
  readonly triadUs: number;
  /** The op composed of tfjs's built-in ops on this backend, or a JavaScript loop. */
  readonly alternativeUs?: number;
  readonly alternative?: 'built-in ops' | 'JavaScript loop';
  /** The same algorithm in C++ with all vector instructions of this processor. */
  readonly nativeUs?: number;
}

/** Measures every op on the current backend, at the stages and at {@link SMALLEST_STAGE}. */
export async function benchOps(
  native: Native,
  progress: (what: string) => void = () => {},
  sizes: readonly PerfSize[] = [...STAGES, SMALLEST],
  timing?: Timing,
): Promise<OpTime[]> {
  const times: OpTime[] = [];
  for (const size of sizes) {
    progress(sizeName(size));
    times.push(...(await benchSize(size, native, timing)));
  }
  return times;
}

async function benchSize(size: PerfSize, native: Native, timing?: Timing): Promise<OpTime[]> {
  const calls = TIMED_SPECS.map((spec) => perfCall(spec, size));
  const triad = triadCall(size);
  const ours: Record<string, () => void> = {};
  const loops: Record<string, () => void> = {};
  const composed: Record<string, () => void> = {};
  const timed = (run: () => tf.TensorContainer) => () => tf.dispose(run());
  for (const { spec, runs, samples } of calls) {
    const { op } = spec;
    const loop = OTHER_CODE.get(spec)?.javascript;
    for (const [name, run] of Object.entries(runs)) ours[name] = timed(run);
    if (loop) loops[loopOf(op.name)] = timed(() => loop(samples[0].inputs));
    if (op.compose && hasOwnKernel(op, tf.getBackend())) composed[op.name] = ours[op.name];
  }
  const ms = await medianTimes<string>({ ...ours, ...loops, [TRIAD]: timed(triad.run) }, timing);
  const builtInMs = await withBuiltInOps(OPS, () => medianTimes(composed, { rounds: 1, ...timing }));
  const times = calls.flatMap((call) =>
    Object.keys(call.runs).map((name): OpTime => {
      const problem = name === call.spec.op.name && OTHER_CODE.get(call.spec)?.native(call);
      const [loopMs, composedMs] = [ms[loopOf(name)], builtInMs[name]];
      return {
        stage: sizeName(size),
        op: name,
        us: 1000 * ms[name],
        triadUs: (1000 * ms[TRIAD] * call.bytes) / triad.bytes,
        ...(loopMs && { alternativeUs: 1000 * loopMs, alternative: 'JavaScript loop' }),
        ...(composedMs && { alternativeUs: 1000 * composedMs, alternative: 'built-in ops' }),
        ...(problem && 'run' in native && { nativeUs: native.run(problem).us }),
      };
    }),
  );
  for (const call of [...calls, triad]) call.dispose();
  return times;
}

const TRIAD = 'triad';
const loopOf = (op: string) => `loop of ${op}`;
