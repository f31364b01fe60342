/**
 * Shared tests of backends that record predictions and replay them: the same bits, nothing leaked, nothing stale. The backend
 * must be started.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { randomGrootVArtifacts } from '../bench/random_model.js';
import { Detector, GrootL, Segmenter, tokenEmbedding } from '../plugin/index.js';
import { recorderOf } from '../plugin/kernels/recorders.js';
import type { GrootVScan } from '../plugin/models/grootv_metadata.js';
import { LoadedModel } from '../plugin/models/loaded_model.js';
import { fixturePath } from './fixtures.js';
import { convertedFolder, sinkFiles } from './language_models.js';
import { maxDifference, relativeDifference } from './measure.js';
import { loadConverted } from './models.js';
import { randomReceptiveFields } from './receptive_field.js';
import { stubSegmenter } from './stub_models.js';

/** The largest logit difference of a tiny model with its own trees: docs/numerics.md. */
const OWN_TREES = 1e-3;

const SIZES = { channels: 8, depths: [1, 1], mlpRatio: 2, layerScale: false, classes: 5 };

async function randomModel(choice: GrootVScan = {}): Promise<LoadedModel> {
  return LoadedModel.from('a model', await randomGrootVArtifacts({ ...SIZES, ...choice }));
}

/** Returns the logits of an image determined by the seed, and the number of kernels that tfjs ran. */
async function logitsOf(
  model: LoadedModel,
  seed: number,
  images = 1,
): Promise<{ values: string; kernels: number }> {
  const image = tf.tidy(() => tf.randomUniform([images, 32, 32, 3], 0, 255, 'float32', seed)) as tf.Tensor4D;
  const { result: logits, kernels } = await countKernels(() =>
    tf.tidy(() => model.predict(image) as tf.Tensor),
  );
  const values = Buffer.from((await logits.data()).slice().buffer).toString('hex');
  tf.dispose([image, logits]);
  return { values, kernels };
}

function numbersOf(hex: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(hex, 'hex')).buffer);
}

/** Counts the kernels that tfjs runs. */
async function countKernels<Result>(
  run: () => Result | Promise<Result>,
): Promise<{ result: Result; kernels: number }> {
  const engine = tf.engine();
  const { runKernel } = engine;
  let kernels = 0;
  engine.runKernel = (...args) => {
    kernels++;
    return runKernel.apply(engine, args) as never;
  };
  try {
    const result = await run();
    return { result, kernels };
  } finally {
    engine.runKernel = runKernel;
  }
}

/** What differs between backends. */
export interface RecorderCase {
  readonly name: string;
  readonly skip: string | false;
  /** Bytes of tensors, recordings and caches that are in use. */
  readonly bytesInUse: () => number;
  /** Whether the parts of a detector between which the host decides are recorded. */
  readonly recordsParts: boolean;
}

export function testRecorder({ name, skip, bytesInUse, recordsParts }: RecorderCase): void {
  const options = { skip };

  t.test('computed, recorded, run again: the same bits', options, async (t) => {
    const model = await randomModel();
    const other = await randomModel();
    const expected = [];
    for (const seed of [1, 2, 3, 4]) {
      const fresh = seed === 1 ? other : await randomModel();
      expected.push((await logitsOf(fresh, seed)).values);
      fresh.dispose();
    }
    t.equal(new Set(expected).size, 4, 'images differ');
    const found = [];
    for (const seed of [1, 2, 3, 4]) found.push(await logitsOf(model, seed));
    t.same(
      found.map(({ values }) => values),
      expected,
    );
    t.ok(found[0].kernels > 40 && found[1].kernels > 40, 'two are computed');
    t.same([found[2].kernels, found[3].kernels], [0, 0], 'two are run again');
    t.ok((await logitsOf(model, 1, 2)).kernels > 0, 'another shape is computed');
    t.equal((await logitsOf(model, 1)).values, expected[0]);
    model.dispose();

    // Nodes that are fused on this backend are not on that one.
    await tf.setBackend('cpu');
    const onCpu = await randomModel();
    for (const [i, values] of expected.slice(0, 2).entries()) {
      const difference = maxDifference(numbersOf(values), numbersOf((await logitsOf(onCpu, i + 1)).values));
      t.ok(difference <= OWN_TREES, `${difference} from cpu`);
    }
    onCpu.dispose();
    await tf.setBackend(name);
  });

  t.test('other scans than trees of every block', options, async (t) => {
    for (const choice of [{ scan: 'cross' }, { trees: 'stage' }] as const) {
      const what = Object.values(choice).join();
      const model = await randomModel(choice);
      const found = [];
      for (const seed of [1, 1, 1, 2]) found.push(await logitsOf(model, seed));
      t.same([found[2].kernels, found[3].kernels], [0, 0], `${what} is run again`);
      t.equal(found[2].values, found[0].values, what);
      model.dispose();
      await tf.setBackend('cpu');
      const onCpu = await randomModel(choice);
      const difference = maxDifference(
        numbersOf(found[3].values),
        numbersOf((await logitsOf(onCpu, 2)).values),
      );
      t.ok(difference <= OWN_TREES, `${what}: ${difference} from cpu`);
      onCpu.dispose();
      await tf.setBackend(name);
    }
  });

  t.test('weights that change, and disposal', options, async (t) => {
    const model = await randomModel();
    for (const seed of [1, 2, 3]) await logitsOf(model, seed);
    const name = Object.keys(model.weights).find((name) => model.weights[name][0].size === 5) as string;
    const [old] = model.weights[name];
    model.weights[name][0] = tf.keep(tf.tidy(() => tf.add(old, 1)));
    old.dispose();
    const changed = await logitsOf(model, 3);
    t.ok(changed.kernels > 0, 'computed anew');
    for (const seed of [3, 3]) t.equal((await logitsOf(model, seed)).values, changed.values);
    t.equal((await logitsOf(model, 3)).kernels, 0);
    model.dispose();
    t.throws(() => model.predict(tf.zeros([1, 32, 32, 3])), /disposed/);
  });

  t.test('kernels that are removed and registered again', options, async (t) => {
    const model = await randomModel();
    const found = [];
    for (const seed of [1, 1, 1]) found.push(await logitsOf(model, seed));
    const kernel = tf.getKernel('LayerNormalization', name) as tf.KernelConfig;
    tf.unregisterKernel(kernel.kernelName, name);
    const composed = [];
    for (const seed of [1, 1, 1]) composed.push(await logitsOf(model, seed));
    tf.registerKernel(kernel);
    const again = await logitsOf(model, 1);
    t.equal(found[2].kernels, 0);
    t.ok(composed[0].kernels > found[0].kernels, 'composed, not replayed');
    const difference = maxDifference(numbersOf(composed[0].values), numbersOf(found[0].values));
    t.ok(difference <= OWN_TREES, `${difference} from the kernel`);
    t.ok(again.kernels > 0 && again.values === found[0].values, 'with the kernel');
    model.dispose();
  });

  t.test('the steps of a text', options, async (t) => {
    const model = await GrootL.load(sinkFiles(await convertedFolder('grootl/grootl_tiny')));
    const [greedy] = JSON.parse(
      readFileSync(fixturePath('grootl/grootl_tiny/expected.json') as string, 'utf8'),
    ).greedy;
    const generate = (maxTokens: number) => countKernels(() => model.generate(greedy.prompt, { maxTokens }));
    const few = await generate(4);
    const more = await generate(10);
    t.same(few.result.tokens, greedy.tree_ids.slice(0, 4));
    t.same(more.result.tokens, greedy.tree_ids.slice(0, 10));
    t.ok(
      more.kernels < few.kernels,
      `${more.kernels} kernels, before ${few.kernels}: tokens are steps run again`,
    );
    model.dispose();
  });

  t.test('windows of a image', options, async (t) => {
    const model = await Segmenter.load(await stubSegmenter());
    const data = Uint8Array.from({ length: 100 * 96 * 3 }, (_, i) => (i * 7919) % 256);
    const windows = { mode: 'slide', cropSize: [32, 40], stride: [16, 24] } as const;
    const segment = () => countKernels(() => model.segment({ width: 100, height: 96, data }, windows));
    const [first, again] = [await segment(), await segment()];
    t.ok(Buffer.from(again.result.classMap.buffer).equals(Buffer.from(first.result.classMap.buffer)));
    t.ok(again.kernels < first.kernels, `${again.kernels} kernels, before ${first.kernels}`);
    model.dispose();
  });

  t.test('a detector: parts between what the host decides', options, async (t) => {
    // A software adapter takes half a second for the mask of an object, and seconds for hundreds of proposals. The first image
    // has two objects, the second one.
    const dense = { maxDetections: 2, scoreThreshold: 0.15, proposals: { maxOutput: 32 } };
    const seeds = [4, 2];
    const { model: graph, sink } = await loadConverted('dense/mask_rcnn_tiny.pth', { dense });
    graph.dispose();
    const model = await Detector.load(sink);
    const testImage = (seed: number, width = 32) => {
      const data = Uint8Array.from({ length: width * 32 * 3 }, (_, i) => ((i + seed) * 7919) % 256);
      return { width, height: 32, data };
    };
    const detect = async (image: ReturnType<typeof testImage>, detector = model) => {
      const { result, kernels } = await countKernels(() =>
        detector.detect(image, { prepare: false, masks: 'rle' }),
      );
      return { found: result.detections, kernels };
    };
    const expected = [];
    for (const seed of seeds) {
      const fresh = await Detector.load(sink);
      expected.push((await detect(testImage(seed), fresh)).found);
      fresh.dispose();
    }
    t.same(
      expected.map(({ length }) => length),
      [2, 1],
      'objects',
    );
    const runs = [];
    for (const i of [0, 0, 0, 1]) runs.push(await detect(testImage(seeds[i])));
    for (const [i, { found }] of runs.entries())
      t.same(found, expected[i < 3 ? 0 : 1], `run ${i}: the same bits`);
    const [first, , again, other] = runs;
    if (recordsParts) {
      t.ok(again.kernels < first.kernels / 8, `${again.kernels} kernels run again, before ${first.kernels}`);
      t.ok(other.kernels < first.kernels, `${other.kernels} kernels where the host decides otherwise`);
    }
    t.ok((await detect(testImage(seeds[0], 48))).kernels > first.kernels / 2, 'another shape is computed');
    t.same((await detect(testImage(seeds[0]))).found, expected[0], 'and the first is run again');

    const { numTensors } = tf.memory();
    await detect(testImage(seeds[0]));
    t.equal(tf.memory().numTensors, numTensors, 'nothing is left');

    const { weights } = model.model;
    const name = 'roi_head.bbox_head.fc_cls.weight';
    const [old] = weights[name];
    weights[name][0] = tf.keep(tf.tidy(() => tf.mul(old, 0.5)));
    old.dispose();
    const changed = await detect(testImage(seeds[0]));
    t.notSame(changed.found, expected[0], 'other weights, other objects');
    for (let i = 0; i < 2; i++) t.same((await detect(testImage(seeds[0]))).found, changed.found);
    model.dispose();
    await t.rejects(detect(testImage(seeds[0])), /disposed/);
  });

  t.test('shapes that come again late are computed', options, async (t) => {
    const [owner, factor] = [{}, tf.scalar(2)];
    const double = async (size: number) => {
      const x = tf.ones([size]);
      const run = () =>
        recorderOf(name)?.run({
          owner,
          key: `${size}`,
          inputs: [x],
          weights: [factor],
          compute: ([given]) => [tf.mul(given, factor)],
        });
      const { result, kernels } = await countKernels(run);
      const values = await result?.[0].data();
      tf.dispose([x, result ?? []]);
      t.same([...(values ?? [])], Array(size).fill(2));
      return kernels;
    };
    for (const size of [1, 2, 3, 1, 2, 3, 1, 2, 3]) t.ok((await double(size)) > 0, 'three in turn');
    await double(3);
    t.equal(await double(3), 0, 'one in a row');
    factor.dispose();
  });

  t.test('ids are checked whenever a recording is run', options, async (t) => {
    const table = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const owner = {};
    const look = async (...ids: number[]) => {
      const tokens = tf.tensor2d(ids, [1, ids.length], 'int32');
      const compute = ([given]: readonly tf.Tensor[]) => [tokenEmbedding(given, table)];
      const run = () =>
        recorderOf(name)?.run({ owner, key: '', inputs: [tokens], weights: [table], compute });
      const { result, kernels } = await countKernels(run);
      const values = await result?.[0].data();
      tf.dispose([tokens, result ?? []]);
      return { values: [...(values ?? [])], kernels };
    };
    for (let i = 0; i < 2; i++) t.same((await look(0, 2)).values, [1, 4, 3, 6]);
    t.same(await look(1, 2), { values: [2, 5, 3, 6], kernels: 0 });
    await t.rejects(look(1, 3), { name: 'OpError', message: /3/ });
    t.same(await look(0, 1), { values: [1, 4, 2, 5], kernels: 0 });
    table.dispose();
  });

  t.test('receptive fields are computed, and are those of the backend cpu', options, async (t) => {
    await tf.setBackend('cpu');
    const expected = await randomReceptiveFields();
    await tf.setBackend(name);
    for (const [level, field] of (await randomReceptiveFields()).entries()) {
      const difference = relativeDifference(field, expected[level]);
      t.ok(difference < 1e-4, `level ${level}: ${difference}`);
    }
  });

  t.test('nothing is left', options, async (t) => {
    const { numTensors } = tf.memory();
    await await tf.zeros([1]).data();
    const before = bytesInUse();
    const model = await randomModel();
    for (const seed of [1, 2, 3]) await logitsOf(model, seed);
    const [tensors, bytes] = [tf.memory().numTensors, bytesInUse()];
    for (let i = 0; i < 5; i++) await logitsOf(model, 3);
    t.same([tf.memory().numTensors, bytesInUse()], [tensors, bytes], 'by predictions');
    model.dispose();
    await tf.zeros([1]).data();
    t.ok(tf.memory().numTensors - numTensors <= 2, 'by a model');
    t.ok(bytesInUse() - before <= 64, `by a model: ${bytesInUse() - before} bytes`);
  });
}
