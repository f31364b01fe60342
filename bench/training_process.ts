/** The process in which training.ts measures. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import { OPS } from '../plugin/ops/index.js';
import { hasOwnKernel } from '../plugin/ops/kernels.js';
import {
  AdamW,
  clipByGlobalNorm,
  crossEntropy,
  decayedParameters,
  trainable,
} from '../plugin/training/index.js';
import { answerOnWasm } from './child_process.js';
import { randomGrootV } from './random_model.js';
import { median, timeOf } from './timing.js';
import type { TrainingFigures, TrainingJob } from './training.js';

/** Ops over the edges of a graph or along a tree. */
const TREE_OPS = OPS.filter(({ inputs }) => inputs.edges || inputs.parent);

async function measure(job: TrainingJob): Promise<TrainingFigures> {
  const { sizes, side, batch, rounds = 0, checkpointing = false } = job;
  const rssBefore = process.memoryUsage.rss();
  const model = trainable(await randomGrootV(sizes));
  const optimizer = new AdamW({ learningRate: 1e-5, weightDecay: 0.05, decays: decayedParameters(model) });
  const images = tf.randomUniform<tf.Rank.R4>([batch, side, side, 3], 0, 255, 'float32', 1);
  const labels = tf.range(0, batch, 1, 'int32');
  const loss = (logits: tf.Tensor) => crossEntropy(logits as tf.Tensor2D, labels, { labelSmoothing: 0.1 });
  const forward = () => tf.tidy(() => loss(model.forward(images)).dataSync()[0]);
  const step = () => {
    const { value, logits, gradients } = model.gradients(images, loss, { checkpointing });
    const { gradients: clipped, norm } = clipByGlobalNorm(gradients, 5);
    optimizer.applyGradients(clipped);
    value.dataSync();
    tf.dispose([value, logits, gradients, clipped, norm]);
  };
  step();
  const peakBytes = process.resourceUsage().maxRSS * 1024 - rssBefore;
  for (let i = 0; i < Math.min(4, rounds); i++) {
    forward();
    step();
  }
  const times: { forwardMs: number; stepMs: number; treeShare: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    // The rate of a shared processor changes within seconds: ratios are taken within a round.
    const forwardMs = timeOf(forward);
    const stepMs = timeOf(step);
    times.push({ forwardMs, stepMs, treeShare: treeTime(step) });
  }
  const medianOf = (figure: (time: (typeof times)[number]) => number) =>
    rounds === 0 ? 0 : median(times.map(figure));
  return {
    forwardMs: medianOf(({ forwardMs }) => forwardMs),
    stepMs: medianOf(({ stepMs }) => stepMs),
    ratio: medianOf(({ forwardMs, stepMs }) => stepMs / forwardMs),
    treeShare: medianOf(({ treeShare }) => treeShare),
    peakBytes,
  };
}

/** Fraction of a step's time for tree ops, whose kernels are timed while it runs. */
function treeTime(step: () => void): number {
  let ms = 0;
  const backend = tf.getBackend();
  const restore = TREE_OPS.filter((op) => hasOwnKernel(op, backend)).map(({ name }) => {
    const kernel = tf.getKernel(name, backend) as { kernelFunc: tf.KernelFunc };
    const { kernelFunc } = kernel;
    kernel.kernelFunc = (params) => {
      const start = performance.now();
      const result = kernelFunc(params);
      ms += performance.now() - start;
      return result;
    };
    return () => {
      kernel.kernelFunc = kernelFunc;
    };
  });
  const total = timeOf(step);
  for (const each of restore) each();
  return ms / total;
}

await answerOnWasm(measure);
