/** The benchmark as a library; `grootvl bench` prints what it returns. */
import { cpus } from 'node:os';
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { benchCalls } from './calls.js';
import { benchProducts } from './matrix_products.js';
import { buildNative } from './native.js';
import { benchOps } from './ops.js';
import { benchPrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import type { BenchReport } from './report.js';
import { benchScaling } from './scaling.js';

export { type BenchReport, formatReport } from './report.js';

/**
 * Measures the current backend, which must be ready and have its kernels registered.
 * @param progress is told what is being measured.
 */
export async function runBench(progress: (what: string) => void = () => {}): Promise<BenchReport> {
  const backend = tf.getBackend();
  const native = buildNative();
  try {
    const { times, peak } = await benchOps(native, (stage) => progress(`ops at ${stage}`));
    const calls = await benchCalls();
    progress('matrix products');
    const products = await benchProducts();
    progress('scaling');
    const scaling = await benchScaling();
    progress('GrootV-T');
    const model = await randomGrootV();
    const prediction = await benchPrediction(model);
    model.dispose();
    return {
      environment: {
        backend,
        threads: backend === 'wasm' ? Math.max(1, getThreadsCount()) : 1,
        cpu: cpus()[0]?.model ?? 'unknown processor',
        runtime: `Node ${process.version}`,
        tfjs: tf.version_core,
        date: new Date().toISOString(),
        ...('missing' in native && { nativeMissing: native.missing }),
      },
      ops: times,
      calls,
      ...(peak && { peak }),
      products,
      scaling,
      prediction,
    };
  } finally {
    if ('close' in native) native.close();
  }
}
