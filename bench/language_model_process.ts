/** The process in which language_model.ts measures: receives one job, sends one message. */
import * as tf from '@tensorflow/tfjs-core';
import { fileSystem } from '../node/file_system.js';
import { GrootL, linear } from '../plugin/index.js';
import { heapOfBackend } from '../wasm/heap.js';
import { answerOnWasm } from './child_process.js';
import type { LanguageModelJob, LanguageModelTimes } from './language_model.js';
import { nativeReadMs } from './native.js';
import { streamingRead } from './streaming_read.js';
import { median } from './timing.js';

/** Reads of the weights per round. */
const READS = 5;
const PROJECTION = /\.(in|x|dt|out)_proj\.weight$/;

async function measure(job: LanguageModelJob): Promise<LanguageModelTimes> {
  const { model: path, nativeProgram, promptTokens, tokens, rounds } = job;
  const model = await GrootL.load(fileSystem(path, { streamWeights: true }));
  const weights = Object.entries(model.model.weights).map(([name, [tensor]]) => ({ name, tensor }));
  const weightBytes = weights.reduce((bytes, { tensor }) => bytes + 4 * tensor.size, 0);
  const heap = heapOfBackend(tf.backend());
  if (!heap) throw new Error("the memory of tfjs's wasm backend cannot be reached");
  const read = streamingRead(heap, weightBytes);
  const projections = weights.filter(({ name }) => PROJECTION.test(name)).map(({ tensor }) => tensor);
  const { vocabulary } = model.metadata.architecture;
  const prompt = Array.from({ length: promptTokens }, (_, i) => (i * 7919) % vocabulary);
  /** Milliseconds to each token of a text. */
  const generate = async (): Promise<number[]> => {
    const ms: number[] = [];
    let start = performance.now();
    for await (const _ of model.stream(prompt, { maxTokens: tokens + 1 })) {
      ms.push(performance.now() - start);
      start = performance.now();
    }
    return ms;
  };
  await generate(); // compiles the kernels

  const times = {
    prefillMs: [] as number[],
    tokenMs: [] as number[],
    productMs: [] as number[],
    readMs: [] as number[],
    nativeReadMs: [] as number[],
  };
  for (let round = 0; round < rounds; round++) {
    const [prefillMs, ...tokenMs] = await generate();
    times.prefillMs.push(prefillMs);
    times.tokenMs.push(...tokenMs);
    times.readMs.push(median(Array.from({ length: READS }, read)));
    if (nativeProgram) times.nativeReadMs.push(nativeReadMs(nativeProgram, weightBytes));
    times.productMs.push(productMs(projections, promptTokens));
  }
  const { nativeReadMs: native, ...rest } = times;
  const medians = Object.fromEntries(
    Object.entries(rest).map(([name, all]) => [name, median(all)]),
  ) as Record<keyof typeof rest, number>;
  const multiplyAdds = projections.reduce((sum, { size }) => sum + promptTokens * size, 0);
  const parameters = model.metadata.architecture.parameters;
  model.dispose();
  return {
    ...{ promptTokens, tokens, rounds, parameters, weightBytes },
    ...medians,
    productRate: (2 * multiplyAdds) / medians.productMs / 1e6,
    ...(native.length > 0 && { nativeReadMs: median(native) }),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** Time for every matrix product of a prompt, once. */
function productMs(projections: readonly tf.Tensor[], rows: number): number {
  let ms = 0;
  for (const weights of projections) {
    const x = tf.randomUniform([rows, weights.shape[0]], -1, 1);
    const start = performance.now();
    const y = linear(x, weights);
    ms += performance.now() - start;
    tf.dispose([x, y]);
  }
  return ms;
}

await answerOnWasm(measure);
