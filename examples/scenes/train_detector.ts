/**
 * Trains the nano Mask R-CNN of examples/models on scenes of digits, on wasm, and evaluates it on scenes that it has not
 * seen: `node --import=tsx examples/scenes/train_detector.ts <folder of MNIST> [--evaluate]`.
 */
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { convertCheckpoint, MemorySink } from '../../converters/index.js';
import {
  type CocoAnnotation,
  type CocoResult,
  Detector,
  encodeRle,
  evaluateCoco,
  type RgbImage,
} from '../../plugin/index.js';
import {
  AdamW,
  clipByGlobalNorm,
  cosineSchedule,
  type DetectionLosses,
  type DetectionRecipe,
  decayedParameters,
  detectionGradients,
  exportCheckpoint,
  GradientAccumulator,
  MASK_RCNN_RECIPE,
  RandomNumbers,
  trainable,
} from '../../plugin/training/index.js';
import { ready } from '../../wasm/index.js';
import { initialDetector } from './detector.js';
import { openScenes, sceneOf } from './scenes.js';

const MODEL = fileURLToPath(new URL('../models/mask_rcnn_nano.safetensors', import.meta.url));
const SEED = 1;
const IMAGES_A_STEP = 4;
const RATE = { peak: 1e-3, end: 1e-5, warmup: 50 };
const WEIGHT_DECAY = 0.01;
const MOST_NORM = 5;
/** Fewer regions than for photographs: a scene has 5 digits at most. */
const RECIPE: DetectionRecipe = {
  ...MASK_RCNN_RECIPE,
  regions: { ...MASK_RCNN_RECIPE.regions, count: 96 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    evaluate: { type: 'boolean', default: false },
    scenes: { type: 'string', default: '200' },
    steps: { type: 'string', default: '2000' },
    out: { type: 'string', default: MODEL },
  },
});
const [folder] = positionals;
if (!folder) throw new Error('expected the folder that has the idx files of MNIST');
await tf.setBackend('wasm');
await ready();
tf.enableProdMode();
if (!values.evaluate) await train(Number(values.steps), values.out);
await evaluate(Number(values.scenes), values.out);

async function train(steps: number, out: string): Promise<void> {
  const source = await openScenes(folder, 'training');
  const sink = new MemorySink();
  await convertCheckpoint(await initialDetector(SEED), sink, { batchNorm: 'keep' });
  const model = await loadGraphModel(tf.io.fromMemory(sink.artifacts()));
  const trained = trainable(model);
  const rate = cosineSchedule({ ...RATE, steps });
  const optimizer = new AdamW({
    learningRate: 0,
    weightDecay: WEIGHT_DECAY,
    decays: decayedParameters(trained),
  });
  const random = new RandomNumbers(SEED);
  const accumulator = new GradientAccumulator();
  const start = performance.now();
  const sums: Record<string, number> = {};
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < IMAGES_A_STEP; i++) {
      const { image, instances } = await sceneOf(source, SEED, step * IMAGES_A_STEP + i);
      const input = inputOf(image);
      const { losses, gradients } = detectionGradients(trained, input, instances, { random, recipe: RECIPE });
      accumulator.add(gradients, 1 / IMAGES_A_STEP);
      tf.dispose([input, gradients]);
      add(sums, losses);
    }
    const sum = accumulator.take();
    const { gradients, norm } = clipByGlobalNorm(sum, MOST_NORM);
    optimizer.learningRate = rate(step);
    optimizer.applyGradients(gradients);
    tf.dispose([sum, gradients, norm]);
    if ((step + 1) % 50 === 0 || step + 1 === steps) {
      report(step + 1, sums, ((step % 50) + 1) * IMAGES_A_STEP, (performance.now() - start) / 1000);
    }
    if ((step + 1) % 400 === 0 || step + 1 === steps) {
      await mkdir(dirname(out), { recursive: true });
      await writeFile(out, await exportCheckpoint(trained, { dtype: 'float16' }));
    }
  }
  optimizer.dispose();
  trained.dispose();
  model.dispose();
}

function inputOf({ width, height, data }: RgbImage): tf.Tensor4D {
  return tf.tensor4d(Float32Array.from(data), [1, height, width, 3]);
}

function add(sums: Record<string, number>, losses: DetectionLosses<number>): void {
  for (const [name, loss] of Object.entries(losses)) sums[name] = (sums[name] ?? 0) + loss;
}

function report(step: number, sums: Record<string, number>, count: number, seconds: number): void {
  const means = Object.entries(sums).map(([name, sum]) => `${name} ${(sum / count).toFixed(4)}`);
  console.log(`step ${step}, ${seconds.toFixed(0)} s: ${means.join(', ')}`);
  for (const name of Object.keys(sums)) sums[name] = 0;
}

/** Prints the average precision of boxes and masks on scenes of unseen digits and backgrounds. */
async function evaluate(scenes: number, file: string): Promise<void> {
  const source = await openScenes(folder, 'evaluation');
  const sink = new MemorySink();
  await convertCheckpoint(await readFile(file), sink);
  const detector = await Detector.load(sink);
  const [truths, found]: [CocoAnnotation[], CocoResult[]] = [[], []];
  for (let scene = 0; scene < scenes; scene++) {
    const { image, instances } = await sceneOf(source, SEED, scene);
    for (const { label, box, mask } of instances) {
      const segmentation = encodeRle({ left: 0, top: 0, ...image, data: mask }, image);
      truths.push({
        image_id: scene,
        category_id: label,
        bbox: cocoBox(box),
        segmentation,
        area: mask.reduce((sum, inside) => sum + inside, 0),
      });
    }
    const { detections } = await detector.detect(image, { masks: 'rle' });
    for (const { index, score, box, mask } of detections) {
      found.push({ image_id: scene, category_id: index, score, bbox: cocoBox(box), segmentation: mask });
    }
  }
  for (const compare of ['boxes', 'masks'] as const) {
    const { AP, AP50, AP75, AR100 } = evaluateCoco(truths, found, { compare });
    const shown = Object.entries({ AP, AP50, AP75, AR100 }).map(([name, x]) => `${name} ${x.toFixed(3)}`);
    console.log(`${compare} on ${scenes} scenes: ${shown.join(', ')}`);
  }
  detector.dispose();
}

function cocoBox([x1, y1, x2, y2]: readonly [number, number, number, number]) {
  return [x1, y1, x2 - x1, y2 - y1] as const;
}
