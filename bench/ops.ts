/** The time of each op at the four stages of GrootV-T, and what it is to be compared with. */
import * as tf from '@tensorflow/tfjs-core';
import {
  boruvkaMST,
  discretize,
  edgeDissimilarity,
  gelu,
  layerNormalization,
  linear,
  selectiveSplit,
  silu,
  stateReadout,
  treeScan,
} from '../plugin/index.js';
import { OPS } from '../plugin/ops/index.js';
import { javascriptScan } from './javascript_scan.js';
import type { Native, NativeTimes } from './native.js';
import { STAGES, type Stage, type StageTensors, stageTensors } from './stages.js';
import { withStockOps } from './stock.js';
import { medianTimes } from './timing.js';

/** One op at one stage. Times in microseconds, all through the public API of tfjs. */
export interface OpTime {
  readonly stage: string;
  readonly op: string;
  readonly us: number;
  /** c = a + b by tfjs's own Add on this backend, over as many bytes as the op reads and writes. */
  readonly triadUs: number;
  /** The op composed from tfjs's stock ops on this backend; a loop in JavaScript for treeScan. */
  readonly alternativeUs?: number;
  readonly alternative?: 'stock ops' | 'JavaScript loop';
  /** The same algorithm in C++ with every vector instruction of this processor. */
  readonly nativeUs?: number;
}

/** Measures every op on the current backend; `peak` is that of the native program. */
export async function benchOps(
  native: Native,
  progress: (what: string) => void,
): Promise<{ times: OpTime[]; peak?: number }> {
  const times: OpTime[] = [];
  let peak: number | undefined;
  for (const stage of STAGES) {
    progress(stage.name);
    const tensors = stageTensors(stage);
    const nativeTimes = 'run' in native ? native.run(tensors) : undefined;
    peak = nativeTimes && Math.max(peak ?? 0, nativeTimes.peak);
    times.push(...(await benchStage(stage, tensors, nativeTimes)));
    tensors.dispose();
  }
  return { times, peak };
}

async function benchStage(
  stage: Stage,
  tensors: StageTensors,
  native: NativeTimes | undefined,
): Promise<OpTime[]> {
  const { x, decay, edges, samples, tree } = tensors;
  let sample = 0;
  const [, vertices, channels] = x.shape;
  const vector = () => tf.randomNormal([channels]);
  const [gamma, beta] = [vector(), vector()];
  const logA = tf.randomNormal([channels, 1]);
  const gate = tf.randomNormal([1, vertices, 1]);
  const rank = Math.ceil(channels / 32); // C / 16, and the scan has 2C channels
  const selected = tf.randomNormal([1, vertices, rank + 2]);
  const weight = tf.randomNormal([channels / 2, channels]);
  const input = tf.randomNormal([1, vertices, channels / 2]);
  const readout = {
    ...{ state: x, outputGate: gate, x: decay, skip: gamma, gate: x, stateGamma: gamma, stateBeta: beta },
    ...{ outputGamma: gamma, outputBeta: beta },
  };
  // Tensors of V x D values that an op reads and writes.
  const ops: Record<string, { readonly volumes: number; run(): tf.TensorContainer }> = {
    treeScan: { volumes: 3, run: () => treeScan(x, decay, tree) },
    edgeDissimilarity: { volumes: 1, run: () => edgeDissimilarity(x, edges) },
    discretize: { volumes: 4, run: () => ({ ...discretize(x, beta, logA, gate, decay) }) },
    layerNormalization: { volumes: 2, run: () => layerNormalization(x, gamma, beta) },
    gelu: { volumes: 2, run: () => gelu(x) },
    silu: { volumes: 2, run: () => silu(x) },
    stateReadout: { volumes: 4, run: () => stateReadout(readout) },
    selectiveSplit: { volumes: (2 * rank) / channels, run: () => ({ ...selectiveSplit(selected) }) },
    linear: { volumes: 1.5, run: () => linear(input, weight, beta) },
    boruvkaMST: {
      volumes: 0,
      run: () => {
        const weights = samples[sample++ % samples.length];
        const { edgeIndex, order, parent } = boruvkaMST(weights, edges, { numVertices: vertices });
        return [edgeIndex, order, parent];
      },
    },
  };
  const timed = (run: () => tf.TensorContainer) => () => tf.dispose(run());
  const runs = Object.fromEntries(Object.entries(ops).map(([name, { run }]) => [name, timed(run)]));
  const ours = await medianTimes({
    ...runs,
    triad: timed(() => tf.add(x, decay)),
    javascript: timed(() => javascriptScan(tensors)),
  });
  const { treeScan: _scan, edgeDissimilarity: _weights, boruvkaMST: _tree, ...composable } = runs;
  const stock = await withStockOps(OPS, () => medianTimes(composable, { rounds: 1 }));
  tf.dispose([gamma, beta, logA, gate, selected, weight, input]);

  const TRIAD_VOLUMES = 3;
  return Object.entries(ops).map(([op, { volumes }]) => {
    const alternativeMs = op === 'treeScan' ? ours.javascript : stock[op];
    const nativeUs = { treeScan: native?.scanUs, boruvkaMST: native?.treeUs }[op];
    return {
      stage: stage.name,
      op,
      us: 1000 * ours[op as keyof typeof ours],
      triadUs: (1000 * ours.triad * volumes) / TRIAD_VOLUMES,
      ...(alternativeMs && {
        alternativeUs: 1000 * alternativeMs,
        alternative: op === 'treeScan' ? ('JavaScript loop' as const) : ('stock ops' as const),
      }),
      ...(nativeUs && { nativeUs }),
    };
  });
}
