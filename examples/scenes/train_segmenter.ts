/**
 * Trains a nano UperNet on scenes, or measures one that was trained. README.md has the commands and what they gave.
 *
 *   node --import=tsx examples/scenes/train_segmenter.ts MNIST --out FILE.safetensors [--steps N] [--seed N]
 *   node --import=tsx examples/scenes/train_segmenter.ts MNIST --evaluate FILE.safetensors [--scenes N]
 *
 * MNIST is a folder with the idx files of MNIST, unpacked.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { evaluateSegmenter, type SegmentationQuality, type Segmenter } from '../../plugin/index.js';
import {
  AdamW,
  clipByGlobalNorm,
  cosineSchedule,
  crossEntropy,
  decayedParameters,
  exportCheckpoint,
  MovingAverage,
  type Trainable,
  trainable,
} from '../../plugin/training/index.js';
import { ready } from '../../wasm/index.js';
import { CLASS_NAMES, openScenes, SCENE_SIZE, type Scene, type SceneSource, sceneOf } from './scenes.js';
import { loadSegmenter, trainableSegmenter } from './segmenter.js';

const BATCH = 4;
const PEAK_RATE = 4e-3;
/** Of the rate, for the backbone: it has learnt something already. */
const BACKBONE_RATE = 0.5;
const WARMUP = 20;
const WEIGHT_DECAY = 0.01;
const MOST_NORM = 5;
/** Of the moving average, which is what is kept. */
const DECAY = 0.99;
/** Pixels of a side that a value of the node `logits` stands for. */
const STRIDE = 4;
/** Share of the steps that learn from the logits as they are; the rest from logits at the size of the scene. */
const COARSE = 0.8;
/** Digits are a tenth of the pixels: the weight of their own mean, beside that of all pixels. */
const DIGITS_WEIGHT = { coarse: 0.5, fine: 0.1 };
const SAVE_EVERY = 100;
/** Scenes that are measured on the way. */
const GLANCE = 20;
/** Of the scenes that are evaluated; no matter which seed the training has. */
const EVALUATION_SEED = 1;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    evaluate: { type: 'string' },
    steps: { type: 'string', default: '1500' },
    seed: { type: 'string', default: '1' },
    scenes: { type: 'string', default: '200' },
  },
});
const [mnist] = positionals;
const { out, evaluate } = options;
if (mnist === undefined || (out === undefined) === (evaluate === undefined)) {
  throw new Error("expected a folder with MNIST's idx files, and --out FILE or --evaluate FILE");
}

await tf.setBackend('wasm');
await ready();
tf.enableProdMode();
if (out !== undefined) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await train(Number(options.steps), Number(options.seed), out);
  const { user, system } = process.cpuUsage(cpu);
  console.log(`${((user + system) / 6e7).toFixed(1)} minutes of one core`);
  console.log(`${((performance.now() - start) / 6e4).toFixed(1)} minutes by the clock`);
}
const segmenter = await loadSegmenter(await readFile(evaluate ?? (out as string)));
await report(segmenter, Number(options.scenes));

/** Writes the checkpoint now and then, and at the end. */
async function train(steps: number, seed: number, file: string): Promise<void> {
  const source = await openScenes(mnist, 'training');
  const trained = trainable(await trainableSegmenter(seed));
  const rate = cosineSchedule({ peak: PEAK_RATE, end: 0, warmup: WARMUP, steps });
  const optimizer = new AdamW({
    learningRate: 0,
    weightDecay: WEIGHT_DECAY,
    decays: decayedParameters(trained),
    groups: [{ parameters: ['backbone'], learningRate: BACKBONE_RATE }],
  });
  const average = new MovingAverage(trained, DECAY);
  for (let step = 0; step < steps; step++) {
    const scenes = await scenesOf(source, seed, step * BATCH, BATCH);
    const { loss, gradients } = learn(trained, scenes, step < COARSE * steps);
    const clipped = clipByGlobalNorm(gradients, MOST_NORM);
    optimizer.learningRate = rate(step);
    optimizer.applyGradients(clipped.gradients);
    average.update();
    if ((step + 1) % 10 === 0) console.log(`step ${step + 1} of ${steps}: loss ${loss.toFixed(4)}`);
    tf.dispose([gradients, clipped.gradients, clipped.norm]);
    if ((step + 1) % SAVE_EVERY !== 0 && step + 1 !== steps) continue;
    average.swap();
    await writeFile(file, await exportCheckpoint(trained, { dtype: 'float16' }));
    const { meanIoU } = await measure(trained.model, GLANCE);
    console.log(`step ${step + 1}: mIoU of ${GLANCE} scenes ${meanIoU.toFixed(4)}`);
    average.swap();
  }
}

/** The loss of a batch, and its gradients. */
function learn(trained: Trainable<Segmenter>, scenes: readonly Scene[], isCoarse: boolean) {
  const [output, stride] = isCoarse ? ['logits', STRIDE] : ['resized_logits', 1];
  const weight = isCoarse ? DIGITS_WEIGHT.coarse : DIGITS_WEIGHT.fine;
  const [images, classes] = [imagesOf(scenes), classesOf(scenes, stride)];
  const { value, grads } = tf.variableGrads(() => {
    const logits = trained.forward(images, output);
    const digits = crossEntropy(logits, classes, { ignoreIndex: 0 });
    return tf.add(crossEntropy(logits, classes), tf.mul(weight, digits)) as tf.Scalar;
  }, [...trained.variables]);
  const [loss] = value.dataSync();
  tf.dispose([value, images, classes]);
  return { loss, gradients: grads };
}

function imagesOf(scenes: readonly Scene[]): tf.Tensor4D {
  const size = SCENE_SIZE * SCENE_SIZE * 3;
  const values = new Float32Array(scenes.length * size);
  scenes.forEach(({ image }, i) => {
    values.set(image.data, i * size);
  });
  return tf.tensor4d(values, [scenes.length, SCENE_SIZE, SCENE_SIZE, 3]);
}

/** The classes in the middle of cells of `stride` x `stride` pixels. */
function classesOf(scenes: readonly Scene[], stride: number): tf.Tensor3D {
  const side = SCENE_SIZE / stride;
  const middle = Math.floor(stride / 2);
  const values = new Int32Array(scenes.length * side * side);
  scenes.forEach(({ classMap }, i) => {
    for (let cell = 0; cell < side * side; cell++) {
      const [row, column] = [Math.floor(cell / side), cell % side].map((at) => at * stride + middle);
      values[i * side * side + cell] = classMap[row * SCENE_SIZE + column];
    }
  });
  return tf.tensor3d(values, [scenes.length, side, side], 'int32');
}

function scenesOf(source: SceneSource, seed: number, from: number, count: number): Promise<Scene[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => sceneOf(source, seed, from + i)));
}

/** How good a segmenter is on scenes of digits and photographs that it has not seen. */
async function measure(segmenter: Segmenter, count: number): Promise<SegmentationQuality> {
  const source = await openScenes(mnist, 'evaluation');
  return evaluateSegmenter(segmenter, await scenesOf(source, EVALUATION_SEED, 0, count));
}

async function report(segmenter: Segmenter, count: number): Promise<void> {
  const { meanIoU, pixelAccuracy, classIoU } = await measure(segmenter, count);
  console.log(`${count} scenes: mIoU ${meanIoU.toFixed(4)}, pixel accuracy ${pixelAccuracy.toFixed(4)}`);
  classIoU.forEach((iou, i) => {
    console.log(`  ${CLASS_NAMES[i].padEnd(10)} IoU ${iou === null ? 'none' : iou.toFixed(4)}`);
  });
}
