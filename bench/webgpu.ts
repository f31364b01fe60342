/**
 * Benchmark of the backend `webgpu`: the commands that ops and whole predictions of GrootV-T record for the GPU, which are the
 * same on every device, and times, which depend on the reported adapter. Times on a software adapter are marked.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { adapterDescription } from '../gpu/webgpu/index.js';
import { readForChecks } from '../plugin/index.js';
import { LoadedModel } from '../plugin/models/loaded_model.js';
import type { PerfSize } from '../plugin/ops/spec/spec.js';
import { countGpuCalls, type GpuCalls } from './gpu_calls.js';
import { perfCall, STAGES, sizeName, specsTimedOn } from './perf_calls.js';
import { randomGrootVArtifacts } from './random_model.js';
import type { GrootVSizes } from './random_weights.js';
import { median, timeOf } from './timing.js';

export interface WebgpuTimes {
  /** Host microseconds to record it, without waiting: a median. */
  readonly hostUs: number;
  /** Device microseconds of its dispatches, by timestamps; undefined if the device does not support them. */
  readonly deviceUs?: number;
}

export interface WebgpuBench {
  readonly adapter: string;
  /** Not a GPU: times are only useful to check that the benchmark works. */
  readonly isSoftware: boolean;
  readonly date: string;
  /** An op at one stage, on one image. */
  readonly ops: readonly (GpuCalls & WebgpuTimes & { readonly stage: string; readonly op: string })[];
  readonly prediction: WebgpuPrediction;
}

export interface WebgpuPrediction extends WebgpuTimes {
  readonly model: string;
  /** The first prediction, which compiles shaders, and a later one. */
  readonly first: GpuCalls & { readonly hostMs: number };
  readonly later: GpuCalls;
  /** Milliseconds until the logits are on the host: a median. */
  readonly ms: number;
}

export interface WebgpuSizes {
  readonly stages: readonly PerfSize[];
  readonly side: number;
  readonly repetitions: number;
  /** Those of GrootV-T by default. */
  readonly model?: GrootVSizes;
}

const ON_GPU: WebgpuSizes = { stages: STAGES, side: 224, repetitions: 10 };
/** Sizes to check that the benchmark works. */
const ON_SOFTWARE: WebgpuSizes = { stages: [{ side: 7, channels: 64 }], side: 64, repetitions: 1 };

/** Benchmarks the backend `webgpu`, which must be the current one. @param sizes depend on the adapter by default */
export async function benchWebgpu(
  progress: (what: string) => void = () => {},
  sizes?: WebgpuSizes,
): Promise<WebgpuBench> {
  const { name: adapter, isFallback: isSoftware } = adapterDescription();
  const { stages, side, repetitions, model } = sizes ?? (isSoftware ? ON_SOFTWARE : ON_GPU);
  const ops: WebgpuBench['ops'][number][] = [];
  for (const size of stages) {
    progress(`ops at ${sizeName(size)}`);
    for (const spec of specsTimedOn('webgpu')) {
      const call = perfCall(spec, size);
      // The host knows edges and trees, as in a model.
      for (const { inputs } of call.samples) await readForChecks(...integers(Object.values(inputs)));
      for (const [op, run] of Object.entries(call.runs)) {
        const { calls, ...times } = await measure(run, repetitions);
        // Ops that create graphs run on the host.
        if (calls.dispatches > 0) ops.push({ stage: sizeName(size), op, ...calls, ...times });
      }
      call.dispose();
    }
  }
  progress('GrootV-T');
  const prediction = await benchPrediction(side, repetitions, model);
  return { adapter, isSoftware, date: new Date().toISOString(), ops, prediction };
}

function integers(tensors: readonly (tf.Tensor | undefined)[]): tf.Tensor[] {
  return tensors.filter((tensor): tensor is tf.Tensor => tensor?.dtype === 'int32');
}

/** One call to compile and upload, one to count, then the timed ones. */
async function measure(
  run: () => tf.Tensor[],
  repetitions: number,
): Promise<WebgpuTimes & { readonly calls: GpuCalls }> {
  tf.dispose(run());
  await settled(); // in a separate compute pass
  const { calls } = countGpuCalls(() => tf.dispose(run()));
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    times.push(1000 * timeOf(() => tf.dispose(run())));
    await settled();
  }
  return { calls, hostUs: median(times), ...(await deviceTime(run, repetitions)) };
}

async function deviceTime(run: () => tf.Tensor[], repetitions: number): Promise<{ deviceUs?: number }> {
  const backend = tf.backend() as WebGPUBackend;
  if (!backend.device.features.has('timestamp-query')) return {};
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const { kernelMs } = await backend.time(() => tf.dispose(run()));
    if (typeof kernelMs !== 'number') return {};
    times.push(kernelMs * 1000);
  }
  return { deviceUs: median(times) };
}

/** Waits until the device has executed all recorded commands. */
async function settled(): Promise<void> {
  const backend = tf.backend() as WebGPUBackend;
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  await backend.queue.onSubmittedWorkDone();
}

async function benchPrediction(
  side: number,
  repetitions: number,
  sizes?: GrootVSizes,
): Promise<WebgpuPrediction> {
  const model = await LoadedModel.from('random', await randomGrootVArtifacts(sizes));
  const image = tf.randomUniform<tf.Rank.R4>([1, side, side, 3], 0, 255, 'float32', 1);
  const predict = () => [model.execute({ image })].flat() as tf.Tensor[];
  try {
    const begun = performance.now();
    const { calls: first } = countGpuCalls(() => tf.dispose(predict()));
    const hostMs = performance.now() - begun;
    await settled();
    const { calls: later, ...times } = await measure(predict, repetitions);
    const waits: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const start = performance.now();
      const results = predict();
      await results[0].data();
      waits.push(performance.now() - start);
      tf.dispose(results);
    }
    const name = `GrootV${sizes ? '' : '-T'} with random weights, ${side} x ${side}`;
    return { model: name, first: { ...first, hostMs }, later, ms: median(waits), ...times };
  } finally {
    image.dispose();
    model.dispose();
  }
}

/** The report as text. */
export function formatWebgpuBench({ adapter, isSoftware, date, ops, prediction }: WebgpuBench): string {
  const { model, first, later, ms, ...times } = prediction;
  return [
    `webgpu, ${adapter}, ${date}`,
    ...(isSoftware ? ['a software adapter: its times say nothing about a GPU, and rank nothing'] : []),
    ...ops.map(({ stage, op, ...cost }) => `  ${stage}  ${op}: ${shown(cost)}; ${shownTimes(cost)}`),
    `${model}`,
    `  the first: ${shown(first)}; ${first.hostMs.toFixed(1)} ms on the host, shaders included`,
    `  a later one: ${shown(later)}; ${shownTimes(times)}; ${ms.toFixed(1)} ms until the logits are read`,
  ].join('\n');
}

function shown({ dispatches, passes, submits, uploads, uploadedBytes, readBacks }: GpuCalls): string {
  return (
    `${dispatches} dispatches, ${passes} passes, ${submits} submits, ${uploads} uploads of ${uploadedBytes} bytes, ` +
    `${readBacks} read-backs`
  );
}

function shownTimes({ hostUs, deviceUs }: WebgpuTimes): string {
  const onDevice = deviceUs === undefined ? 'no timestamps' : `${deviceUs.toFixed(1)} us on the device`;
  return `${hostUs.toFixed(1)} us on the host, ${onDevice}`;
}
