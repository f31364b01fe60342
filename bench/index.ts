/** The benchmark as a library; `grootvl bench` prints its result. */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { benchCold } from './cold.js';
import { benchConvolutions } from './convolutions.js';
import { benchDense } from './dense.js';
import { benchGroups } from './groups.js';
import { benchImages } from './images.js';
import { benchPage, benchThreads } from './in_page.js';
import { benchLanguageModel } from './language_model.js';
import { benchProducts } from './matrix_products.js';
import { buildNative, type Native } from './native.js';
import { benchOps } from './ops.js';
import { PART_NAMES, PARTS, type Part, USUAL_PARTS } from './parts.js';
import { benchPrediction } from './prediction.js';
import { GROOTV_T, randomGrootV } from './random_model.js';
import type { BenchReport } from './report.js';
import { benchScaling } from './scaling.js';
import { benchScans } from './scans.js';
import { benchTraining } from './training.js';

export { type BenchReport, formatReport } from './report.js';

/** The report fields of each part. */
const MEASURE: Readonly<
  Record<Part, (native: Native, progress: (what: string) => void) => Promise<Partial<BenchReport>>>
> = {
  ops: async (native, progress) => ({
    ops: await benchOps(native, (stage) => progress(`ops at ${stage}`)),
  }),
  products: async (native) => ({
    products: await benchProducts(),
    ...('peak' in native && { peak: native.peak() }),
  }),
  convolutions: async () => ({ convolutions: await benchConvolutions() }),
  scaling: async (native) => ({ scaling: await benchScaling(native) }),
  groups: async () => ({ groups: await benchGroups() }),
  prediction: async () => {
    const model = await randomGrootV();
    const int8Model = await randomGrootV(GROOTV_T, 'int8');
    const prediction = await benchPrediction(model, int8Model);
    model.dispose();
    int8Model.dispose();
    return { prediction };
  },
  page: async () => {
    const page = await benchPage();
    return 'missing' in page ? { pageMissing: page.missing } : { page };
  },
  cold: async () => ({ cold: await benchCold() }),
  threads: async () => {
    const threads = await benchThreads();
    return 'missing' in threads ? { pageMissing: threads.missing } : { threads };
  },
  scans: async () => ({ scans: await benchScans() }),
  dense: async () => ({ dense: await benchDense() }),
  training: async () => ({ training: await benchTraining() }),
  language: async (native) => ({
    language: await benchLanguageModel('program' in native ? native.program : undefined),
  }),
  images: async (_, progress) => ({ images: await benchImages(progress) }),
};

/**
 * Benchmarks the current backend, which must be ready and have its kernels registered.
 * @param progress called with a description of each measurement
 * @param parts by default everything except runs over many images
 */
export async function runBench(
  progress: (what: string) => void = () => {},
  parts: readonly Part[] = USUAL_PARTS,
): Promise<BenchReport> {
  const backend = tf.getBackend();
  const native = buildNative();
  let report: BenchReport = {
    environment: {
      backend,
      threads: 1, // in Node tfjs's memory is not shared
      cpu: cpus()[0]?.model ?? 'unknown processor',
      runtime: `Node ${process.version}`,
      tfjs: tf.version_core,
      date: new Date().toISOString().slice(0, 10),
      ...('missing' in native && { nativeMissing: native.missing }),
    },
  };
  try {
    for (const part of PART_NAMES.filter((name) => parts.includes(name))) {
      progress(PARTS[part]);
      report = { ...report, ...(await MEASURE[part](native, progress)) };
    }
  } finally {
    if ('close' in native) native.close();
  }
  return report;
}
