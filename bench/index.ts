/** The benchmark as a library; `grootvl bench` prints what it returns. */
import { cpus } from 'node:os';
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { benchCalls } from './calls.js';
import { benchLanguageModel } from './language_model.js';
import { benchProducts } from './matrix_products.js';
import { buildNative } from './native.js';
import { benchOps } from './ops.js';
import { PARTS, type Part } from './parts.js';
import { benchPrediction } from './prediction.js';
import { randomGrootV } from './random_model.js';
import type { BenchReport } from './report.js';
import { benchScaling } from './scaling.js';

export { type BenchReport, formatReport } from './report.js';

/**
 * Measures the current backend, which must be ready and have its kernels registered.
 * @param progress is told what is being measured.
 * @param parts everything by default.
 */
export async function runBench(
  progress: (what: string) => void = () => {},
  parts: readonly Part[] = PARTS,
): Promise<BenchReport> {
  const backend = tf.getBackend();
  const native = buildNative();
  const measure = async <T>(part: Part, what: string, body: () => Promise<T>): Promise<T | undefined> => {
    if (!parts.includes(part)) return undefined;
    progress(what);
    return body();
  };
  try {
    const program = 'program' in native ? native.program : undefined;
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
      ...(await measure('ops', 'ops', async () => {
        const { times, peak } = await benchOps(native, (stage) => progress(`ops at ${stage}`));
        return { ops: times, calls: await benchCalls(), ...(peak && { peak }) };
      })),
      products: await measure('products', 'matrix products', benchProducts),
      scaling: await measure('scaling', 'scaling', benchScaling),
      prediction: await measure('prediction', 'GrootV-T', async () => {
        const model = await randomGrootV();
        const prediction = await benchPrediction(model);
        model.dispose();
        return prediction;
      }),
      language: await measure('language', 'GrootL, 130M parameters', () => benchLanguageModel(program)),
    };
  } finally {
    if ('close' in native) native.close();
  }
}
