/** Tests the losses of a detector: each term against sums in double precision, and all of them on a small model. */
import * as tf from '@tensorflow/tfjs';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import t from 'tap';
import { convertCheckpoint, MemorySink } from '../../../converters/index.js';
import { MadeOrderedDict, torchZipBytes } from '../../../converters/pytorch/testing/torch_writer.js';
import { onBackend } from '../../../testing/backends.js';
import { randomState, smallMaskRCNN } from '../../../testing/checkpoints.js';
import { relativeDifference } from '../../../testing/measure.js';
import { loadConverted, loadSink } from '../../../testing/models.js';
import { readAsynchronously } from '../../kernels/values.js';
import {
  AdamW,
  detectionGradients,
  detectionLosses,
  GradientAccumulator,
  MASK_RCNN_RECIPE,
  RandomNumbers,
  type TrueObject,
  trainable,
} from '../index.js';
import { absoluteErrorSum, binaryCrossEntropySum } from './element_losses.js';
import { type LearntBoxes, maskLoss, proposalLosses, regionLosses } from './part_losses.js';

const DEVIATIONS = [0.1, 0.1, 0.2, 0.2];

/** Computes the deltas that map `from` to `to`. */
function deltasOf(from: readonly number[], to: readonly number[], deviations: readonly number[]): number[] {
  const [w, h] = [from[2] - from[0], from[3] - from[1]];
  return [
    (to[0] + to[2] - from[0] - from[2]) / 2 / w,
    (to[1] + to[3] - from[1] - from[3]) / 2 / h,
    Math.log((to[2] - to[0]) / w),
    Math.log((to[3] - to[1]) / h),
  ].map((delta, i) => delta / deviations[i]);
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const crossEntropyOf = (logit: number, target: number) =>
  Math.log1p(Math.exp(-Math.abs(logit))) + Math.max(logit, 0) - logit * target;

const BOXES = [
  [0, 0, 10, 20],
  [4, 2, 12, 10],
  [5, 5, 25, 25],
  [1, 0, 11, 18],
];
const OBJECTS = [
  [6, 4, 26, 28],
  [1, 1, 10, 19],
];
/** Boxes 2 and 3 are assigned to objects 0 and 1, box 0 is background; box 1 was not sampled. */
const LEARNT: LearntBoxes = {
  boxes: Float32Array.from(BOXES.flat()),
  objects: Float32Array.from(OBJECTS.flat()),
  assigned: Int32Array.of(-1, -1, 0, 1),
  sampled: { positives: Int32Array.of(2, 3), negatives: Int32Array.of(0) },
  deviations: DEVIATIONS,
};
const TARGETS = [deltasOf(BOXES[2], OBJECTS[0], DEVIATIONS), deltasOf(BOXES[3], OBJECTS[1], DEVIATIONS)];

for (const backend of ['cpu', 'wasm'] as const) {
  t.test(`losses of values and their gradients on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, () => {
      tf.tidy(() => {
        const close = (given: tf.Tensor, expected: readonly number[], what: string) => {
          const values = given.dataSync();
          t.ok(
            values.length === expected.length &&
              expected.every(
                (value, i) => Math.abs(values[i] - value) <= 2e-6 * Math.max(1, Math.abs(value)),
              ),
            `${what}: ${[...values]}, expected ${expected}`,
          );
        };
        const logits = [-200, -3, -0.5, 0, 2, 200, 100];
        const [targets, weights] = [
          [1, 0, 1, 0.25, 1, 0, 1],
          [1, 1, 2, 1, 0, 0.5, 1],
        ];
        const entropy = (x: tf.Tensor) =>
          binaryCrossEntropySum(x, tf.tensor1d(targets), tf.tensor1d(weights));
        const x = tf.tensor1d(logits);
        close(entropy(x), [sum(logits.map((l, i) => weights[i] * crossEntropyOf(l, targets[i])))], 'entropy');
        const slopes = logits.map((l, i) => weights[i] * (1 / (1 + Math.exp(-l)) - targets[i]));
        close(tf.grad(entropy)(x), slopes, 'its gradient');

        const error = (x: tf.Tensor) => absoluteErrorSum(x, tf.tensor1d([1, -1, 2]), tf.tensor1d([1, 3, 5]));
        const values = tf.tensor1d([3, -1.5, 2]);
        close(error(values), [2 + 3 * 0.5], 'absolute error');
        close(tf.grad(error)(values), [1, -3, 0], 'its gradient, 0 at the target');

        const scores = [0.5, 3, -1, 2];
        const deltas = [
          [1, 1, 1, 1],
          [2, 2, 2, 2],
          [0.5, 0, -1, 0],
          [0, 0.25, 0, 2],
        ];
        const ofProposals = proposalLosses(tf.tensor1d(scores), tf.tensor2d(deltas), LEARNT);
        const entropies = [crossEntropyOf(0.5, 0), crossEntropyOf(-1, 1), crossEntropyOf(2, 1)];
        close(ofProposals.score, [sum(entropies) / 3], 'scores of anchors');
        const errors = [2, 3].map((k, i) => sum(deltas[k].map((d, j) => Math.abs(d - TARGETS[i][j]))));
        close(ofProposals.box, [sum(errors) / 3], 'deltas of anchors, over all that were sampled');

        // Three rows of regions: objects of classes 1 and 0, background (class 2).
        const classScores = [
          [1, 2, 3],
          [0, -1, 0.5],
          [2, 2, 1],
        ];
        const logSum = (row: readonly number[]) => Math.log(sum(row.map(Math.exp)));
        const classLoss =
          sum([1, 0, 2].map((label, i) => logSum(classScores[i]) - classScores[i][label])) / 3;
        const labels = Int32Array.of(1, 0);
        for (const [name, width, column] of [
          ['a box a class', 8, [4, 0]],
          ['one box for all', 4, [0, 0]],
        ] as const) {
          const rows = Array.from({ length: 3 }, (_, r) =>
            Array.from({ length: width }, (_, c) => r - c / 4),
          );
          const { class: ofClasses, box } = regionLosses(
            tf.tensor2d(classScores),
            tf.tensor2d(rows),
            LEARNT,
            labels,
          );
          close(ofClasses, [classLoss], `${name}: classes`);
          const moved = [0, 1].map((r) =>
            sum(TARGETS[r].map((target, j) => Math.abs(rows[r][column[r] + j] - target))),
          );
          close(box, [sum(moved) / 3], `${name}: deltas of objects alone`);
        }

        // Two masks of 1 x 2 pixels, two classes.
        const maskLogits = tf.tensor4d([1, -1, 2, -2, 3, -3, 4, -4], [2, 1, 2, 2]);
        const shares = tf.tensor4d([0.5, 0.49, 1, 0], [2, 1, 2, 1]);
        const chosen = [-1, -2, 3, 4]; // class 1, class 0
        const mask = sum(chosen.map((logit, i) => crossEntropyOf(logit, [1, 0, 1, 0][i]))) / 4;
        close(maskLoss(maskLogits, shares, labels), [mask], 'masks of the true class, half a pixel is in');
      });
    });
    t.equal(leaked, 0);
  });
}

/** A rectangular object in an input of `size` x `size` pixels. */
function rectangle(label: number, box: TrueObject['box'], size: number): TrueObject {
  const mask = new Uint8Array(size * size);
  for (let y = box[1]; y < box[3]; y++) mask.fill(1, y * size + box[0], y * size + box[2]);
  return { label, box, mask };
}

async function smallDetector(sizes: Parameters<typeof smallMaskRCNN>[0] = {}) {
  const sink = new MemorySink();
  const state = randomState(smallMaskRCNN(sizes));
  await convertCheckpoint(await torchZipBytes(new MadeOrderedDict(state)), sink, {
    batchNorm: 'keep',
    dense: { proposals: { maxOutput: 40 } },
  });
  return loadSink(sink);
}

const RECIPE = { ...MASK_RCNN_RECIPE, regions: { ...MASK_RCNN_RECIPE.regions, count: 24 } };

for (const classAgnostic of [false, true]) {
  t.test(`a detector learns${classAgnostic ? ', boxes and masks for all classes' : ''}`, async (t) => {
    const { leaked } = await onBackend('wasm', async () => {
      const model = await smallDetector({
        classAgnosticBoxes: classAgnostic,
        classAgnosticMasks: classAgnostic,
      });
      const trained = trainable(model);
      const image = tf.randomUniform([1, 64, 64, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
      const objects = [rectangle(1, [8, 8, 40, 36], 64), rectangle(2, [44, 30, 64, 64], 64)];
      const optimizer = new AdamW({ learningRate: 3e-3 });
      const totals: number[] = [];
      let tensors = 0;
      for (let step = 0; step < 6; step++) {
        const options = { random: new RandomNumbers(1), recipe: RECIPE };
        const { losses, gradients } = detectionGradients(trained, image, objects, options);
        const { total, ...parts } = losses;
        t.ok(Math.abs(sum(Object.values(parts)) - total) < 1e-5 * total, 'the total is the sum of the parts');
        const missing = trained.variables.filter(({ name }) => !gradients[name]).map(({ name }) => name);
        t.same(missing, [], 'every parameter has a gradient');
        t.ok(Object.values(gradients).every((each) => each.dataSync().every(Number.isFinite)));
        optimizer.applyGradients(gradients);
        tf.dispose(gradients);
        totals.push(total);
        if (step === 1) tensors = tf.memory().numTensors;
      }
      t.ok(totals[5] < 0.8 * totals[0], totals.join(' '));
      t.equal(tf.memory().numTensors, tensors, 'a step leaves no tensor behind');
      tf.dispose(image);
      optimizer.dispose();
      trained.dispose();
      model.dispose();
    });
    t.equal(leaked, 0);
  });
}

t.test('gradients are the slopes of the losses', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await smallDetector();
    const trained = trainable(model);
    const image = tf.randomUniform([1, 64, 64, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
    const objects = [rectangle(1, [8, 8, 40, 36], 64)];
    const options = () => ({ random: new RandomNumbers(1), recipe: RECIPE });
    const measure = () =>
      tf.tidy(() => detectionLosses(trained, image, objects, options()).total.dataSync()[0]);
    const { gradients } = detectionGradients(trained, image, objects, options());
    // Layers after all choices of boxes, so that a small change of them does not change a choice.
    for (const name of [
      'roi_head.bbox_head.fc_cls.bias',
      'roi_head.bbox_head.fc_reg.bias',
      'roi_head.bbox_head.shared_fcs.0.weight',
      'roi_head.mask_head.conv_logits.weight',
      'roi_head.mask_head.upsample.weight',
      'roi_head.mask_head.convs.0.conv.weight',
    ]) {
      const { variable } = trained.parameters.get(name) as { variable: tf.Variable };
      const gradient = gradients[variable.name];
      const norm = Math.sqrt(sum([...gradient.dataSync()].map((g) => g * g)));
      const before = variable.clone();
      const step = 1e-3;
      const along = [1, -1].map((sign) => {
        tf.tidy(() => variable.assign(before.add(gradient.mul((sign * step) / norm))));
        return measure();
      });
      variable.assign(before);
      const slope = (along[0] - along[1]) / (2 * step);
      t.ok(Math.abs(slope - norm) < 0.02 * norm, `${name}: ${slope}, gradient ${norm}`);
      before.dispose();
    }
    tf.dispose([image, gradients]);
    trained.dispose();
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('cpu and wasm have the same losses and gradients', async (t) => {
  const results: { losses: number[]; gradients: Map<string, Float32Array> }[] = [];
  for (const backend of ['cpu', 'wasm'] as const) {
    const { leaked } = await onBackend(backend, async () => {
      const model = await smallDetector();
      const trained = trainable(model);
      const image = tf.randomUniform([1, 64, 64, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
      const objects = [rectangle(1, [8, 8, 40, 36], 64), rectangle(2, [44, 30, 64, 64], 64)];
      const options = { random: new RandomNumbers(2), recipe: RECIPE };
      const { losses, gradients } = detectionGradients(trained, image, objects, options);
      const values = Object.entries(gradients).map(
        ([name, each]) => [name, each.dataSync().slice()] as const,
      );
      results.push({ losses: Object.values(losses), gradients: new Map(values as [string, Float32Array][]) });
      tf.dispose([image, gradients]);
      trained.dispose();
      model.dispose();
    });
    t.equal(leaked, 0);
  }
  const [cpu, wasm] = results;
  t.ok(relativeDifference(wasm.losses, cpu.losses) < 1e-5, `${wasm.losses}, ${cpu.losses}`);
  for (const [name, values] of cpu.gradients) {
    const difference = relativeDifference(wasm.gradients.get(name) ?? [], values);
    if (!(difference < 1e-3)) t.fail(`${name}: ${difference}`);
  }
});

t.test('an image without objects, and what is refused', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const model = await smallDetector();
    const trained = trainable(model);
    const image = tf.zeros([1, 64, 64, 3]) as tf.Tensor4D;
    const options = { random: new RandomNumbers(1), recipe: RECIPE };
    const { losses, gradients } = detectionGradients(trained, image, [], options);
    t.same([losses.proposalBox, losses.box, losses.mask], [0, 0, 0]);
    t.ok(losses.proposalScore > 0 && losses.class > 0);
    const accumulator = new GradientAccumulator();
    accumulator.add(gradients);
    accumulator.dispose();
    const other = rectangle(1, [8, 8, 40, 36], 64);
    for (const [objects, message] of [
      [[{ ...other, label: 3 }], /label of object 0 is 3, expected 0 to 2/],
      [[other, { ...other, box: [8, 8, 65, 36] }], /box of object 1 is \[8,8,65,36\]/],
      [[{ ...other, box: [8, 8, 8, 36] }], /box of object 0/],
      [[{ ...other, box: [8, 8, Number.NaN, 36] }], /box of object 0/],
      [[{ ...other, mask: new Uint8Array(3) }], /mask of object 0 has 3 pixels, expected 64 x 64/],
    ] as [TrueObject[], RegExp][]) {
      t.throws(() => detectionLosses(trained, image, objects, options), message);
    }
    const two = tf.zeros([2, 64, 64, 3]) as tf.Tensor4D;
    t.throws(() => detectionLosses(trained, two, [other], options), /the image is \[2,64,64,3\]/);
    tf.dispose([image, two, gradients]);
    trained.dispose();
    model.dispose();

    const { model: segmenter } = await loadConverted('dense/upernet_tiny.pth', { batchNorm: 'keep' });
    const other2 = trainable(segmenter);
    const zeros = tf.zeros([1, 64, 64, 3]) as tf.Tensor4D;
    t.throws(() => detectionLosses(other2, zeros, [other], options), /no node .*expected a Mask R-CNN/);
    zeros.dispose();
    other2.dispose();
    segmenter.dispose();
  });
  t.equal(leaked, 0);
});

t.test('a backend that reads asynchronously only', async (t) => {
  tf.registerBackend('toy', () => new MathBackendCPU());
  readAsynchronously('toy');
  await tf.setBackend('toy');
  const nothing = {} as ReturnType<typeof trainable>;
  const options = { random: new RandomNumbers(1) };
  const message = /^detectionLosses: .* the backend 'toy' gives asynchronously only; .*'wasm'$/;
  t.throws(() => detectionLosses(nothing, {}, [], options), { message });
  await tf.setBackend('wasm');
  tf.removeBackend('toy');
});
