/** The converter: unknown architectures, what it refuses, what it writes. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import type { GrootVMetadata } from '../plugin/models/grootv_metadata.js';
import { toFloat16 } from '../plugin/rounding.js';
import { onBackend } from '../testing/backends.js';
import { type GrootVSizes, grootVShapes, randomState, storedAs } from '../testing/checkpoints.js';
import { fixturePath } from '../testing/fixtures.js';
import { maxDifference } from '../testing/measure.js';
import { loadConverted, loadSink } from '../testing/models.js';
import {
  ArchitectureError,
  blobSource,
  bytesSource,
  CheckpointError,
  type ConvertOptions,
  convertCheckpoint,
  inspectCheckpoint,
  MemorySink,
} from './index.js';
import { MadeOrderedDict, type Picklable, torchZipBytes } from './pytorch/testing/torch_writer.js';
import { CONVERTER_VERSION } from './version.js';

type State = ReadonlyMap<string, Picklable>;

async function checkpointOf(
  state: State,
  wrap = (state: Picklable): Picklable => state,
): Promise<Uint8Array> {
  return torchZipBytes(wrap(new MadeOrderedDict(state)));
}

async function convert(state: State, options: ConvertOptions = {}) {
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(await checkpointOf(state), sink, options);
  return { sink, inspection, model: await loadSink(sink) };
}

/** The error that converting a state dict gives. */
async function refusal(state: State): Promise<Error> {
  const sink = new MemorySink();
  const error = await convertCheckpoint(await checkpointOf(state), sink).then(
    () => new Error('it was converted'),
    (error: Error) => error,
  );
  if (sink.files.size > 0) throw new Error(`files were written: ${[...sink.files.keys()]}`);
  return error;
}

const SMALL: GrootVSizes = { channels: 8, depths: [1, 1] };

t.test('architectures by names and shapes alone', async (t) => {
  const cases: [string, GrootVSizes][] = [
    ['three levels, mlp ratio 3', { channels: 8, depths: [1, 2, 1], mlpRatio: 3, classes: 5 }],
    ['one level, mlp ratio 2.5, layer scale', { channels: 8, depths: [2], mlpRatio: 2.5, layerScale: true }],
    ['five levels, mlp ratio 2', { channels: 4, depths: [1, 1, 1, 1, 1], mlpRatio: 2, classes: 1000 }],
    ['no classes', { channels: 8, depths: [1, 1], classes: 0 }],
    ['a bare backbone', { channels: 8, depths: [1, 1], classes: 0, convolutionHead: false }],
    ['channels that 16 does not divide', { channels: 20, depths: [1, 1], classes: 3 }],
  ];
  for (const [name, sizes] of cases) {
    await t.test(name, async (t) => {
      const { mlpRatio = 4, layerScale = false, classes = 10, convolutionHead = true } = sizes;
      const { leaked } = await onBackend('wasm', async () => {
        const { model, inspection, sink } = await convert(randomState(grootVShapes(sizes)));
        t.match(inspection, { ...sizes, mlpRatio, layerScale, classes, convolutionHead });
        const metadata = model.metadata as GrootVMetadata;
        t.match(metadata.architecture, { family: 'GrootV', channels: sizes.channels, classes });
        t.equal(metadata.classNames?.length ?? 0, classes === 1000 ? 1000 : 0);
        runsOnOddSizes(t, model, sizes.depths.length);
        const outputs = JSON.parse(new TextDecoder().decode(sink.files.get('model.json'))).signature.outputs;
        const features = sizes.depths.map((_, level) => `features_${level}`);
        t.same(Object.keys(outputs), classes ? ['logits'] : convolutionHead ? ['pooled'] : features);
        model.dispose();
      });
      t.equal(leaked, 0);
    });
  }
});

/** Odd sizes and grids of one row: every output is present and finite. */
function runsOnOddSizes(t: Test, model: Awaited<ReturnType<typeof convert>>['model'], levels: number): void {
  for (const [height, width, batch] of [
    [33, 47, 2],
    [4, 61, 1],
    [1, 1, 1],
    [130, 3, 1],
  ]) {
    tf.tidy(() => {
      const image = tf.randomUniform([batch, height, width, 3], 0, 255, 'float32', 5);
      for (const output of [model.predict(image) as tf.Tensor | tf.Tensor[]].flat()) {
        t.equal(output.shape[0], batch);
        t.ok(output.dataSync().every(Number.isFinite), `finite at ${height}x${width}`);
      }
      const last = model.execute({ image }, `features_${levels - 1}`) as tf.Tensor;
      const halved = (size: number) => {
        let left = size;
        for (let i = 0; i < levels + 1; i++) left = Math.ceil(left / 2);
        return left;
      };
      t.same(last.shape.slice(0, 3), [batch, halved(height), halved(width)]);
    });
  }
}

t.test('wherever the weights lie, and however they are stored, the model is the same', async (t) => {
  const state = randomState(grootVShapes(SMALL));
  const parallel = new Map([...state].map(([name, tensor]) => [`module.${name}`, tensor]));
  const under = (key: string) => (state: Picklable) =>
    new Map<Picklable, Picklable>([
      [key, state],
      ['epoch', 3],
    ]);
  const { leaked } = await onBackend('wasm', async () => {
    const image = tf.randomUniform([1, 32, 32, 3], 0, 255, 'float32', 3);
    const logits = async (bytes: Uint8Array, options: ConvertOptions = {}) => {
      const sink = new MemorySink();
      await convertCheckpoint(bytes, sink, options);
      const model = await loadSink(sink);
      const result = tf.tidy(() => (model.predict(image) as tf.Tensor).dataSync().slice());
      model.dispose();
      return [...result];
    };
    const wanted = await logits(await checkpointOf(state));
    t.same(await logits(await checkpointOf(state, under('model'))), wanted, 'model');
    t.same(await logits(await checkpointOf(state, under('state_dict'))), wanted, 'state_dict');
    t.same(await logits(await checkpointOf(parallel, under('state_dict'))), wanted, 'module.');
    const average = await checkpointOf(state, under('model_ema'));
    t.same(await logits(average, { weights: 'model_ema' }), wanted, 'model_ema');
    await t.rejects(logits(await checkpointOf(state, under('model')), { weights: 'model_ema' }), {
      code: 'weights-not-found',
    });
    for (const how of ['transposed', 'window'] as const) {
      const views = new Map(
        [...state].map(([name, tensor]) => [
          name,
          tensor.storage.dtype === 'float32' ? storedAs(tensor, how) : tensor,
        ]),
      );
      t.same(await logits(await checkpointOf(views)), wanted, how);
    }
    image.dispose();
  });
  t.equal(leaked, 0);
});

t.test('what does not fit is named', async (t) => {
  const shapes = grootVShapes(SMALL);
  const changed = (change: (shapes: Map<string, readonly number[]>) => void) => {
    const copy = new Map(shapes);
    change(copy);
    return refusal(randomState(copy));
  };
  const missing = await changed((shapes) => shapes.delete('levels.1.blocks.0.mlp.fc2.bias'));
  t.ok(missing instanceof ArchitectureError);
  t.match(missing.message, /channels 8, depths 1, 1\): 1 missing: levels\.1\.blocks\.0\.mlp\.fc2\.bias$/);
  const extra = await changed((shapes) => shapes.set('levels.0.blocks.0.TreeSSM.conv2d.bias', [16]));
  t.match(extra.message, /1 unexpected: levels\.0\.blocks\.0\.TreeSSM\.conv2d\.bias$/);
  const wrong = await changed((shapes) => shapes.set('levels.0.blocks.0.TreeSSM.Ds', [15]));
  t.match(
    wrong.message,
    /1 of the wrong shape: levels\.0\.blocks\.0\.TreeSSM\.Ds is \[15\], expected \[16\]$/,
  );
  const many = await changed((shapes) => {
    for (const name of [...shapes.keys()]) if (name.startsWith('levels.1.')) shapes.delete(name);
    shapes.set('levels.1.blocks.0.gamma1\n\u001b[31m', [1]);
  });
  t.match(
    many.message,
    /missing: .* and \d+ more\. 1 unexpected: "levels\.1\.blocks\.0\.gamma1\\u000a\\u001b\[31m"/,
  );
  const gap = await changed((shapes) => {
    for (const name of [...shapes.keys()]) if (name.startsWith('levels.0.')) shapes.delete(name);
  });
  t.match(gap.message, /this is not a GrootV checkpoint/);
  const empty = await changed((shapes) => shapes.set('levels.0.blocks.0.TreeSSM.A_logs', [0, 1]));
  t.match(empty.message, /of the wrong shape/);
  for (const error of [missing, extra, wrong, many, gap, empty]) t.notMatch(error.message, /\n/);
});

t.test('class names', async (t) => {
  const state = randomState(grootVShapes({ ...SMALL, classes: 3 }));
  const { model } = await convert(state, { classNames: ['a', 'b', 'c'] });
  t.same((model.metadata as GrootVMetadata).classNames, ['a', 'b', 'c']);
  model.dispose();
  await t.rejects(convertCheckpoint(await checkpointOf(state), new MemorySink(), { classNames: ['a'] }), {
    message: '1 class names were given, the model has 3 classes',
  });
});

t.test('metadata, shards, progress', async (t) => {
  const { sink, model, inspection } = await loadConverted('grootv/grootv_nano_mnist.pth', {
    shardBytes: 300_000,
  });
  const json = JSON.parse(new TextDecoder().decode(sink.files.get('model.json')));
  t.equal(json.format, 'graph-model');
  const metadata = json.userDefinedMetadata as GrootVMetadata;
  t.match(metadata, {
    preprocessing: { size: 64, resampling: 'bicubic' },
    source: { file: 'grootv_nano_mnist.pth', sha256: inspection.file.sha256, weights: 'model' },
    converter: { name: 'tfjs-grootvl', version: CONVERTER_VERSION },
  });
  t.ok(
    ['pooled', 'features_3', 'blocks_4/edge_weights', 'blocks_4/order'].every((n) =>
      metadata.nodes.includes(n),
    ),
  );
  const [{ paths }] = json.weightsManifest;
  t.equal(paths.length, Math.ceil(sizeOf(json) / 300_000));
  t.ok(paths.slice(0, -1).every((path: string) => sink.files.get(path)?.length === 300_000));
  t.equal([...sink.files.keys()].at(-1), 'model.json', 'model.json comes last');
  model.dispose();

  const stages: string[] = [];
  const bytes = await checkpointOf(randomState(grootVShapes(SMALL)));
  await convertCheckpoint(bytes, new MemorySink(), {
    onProgress: (stage, done, total) => stages.push(done === total ? `${stage} done` : stage),
  });
  t.ok(stages.includes('reading done'));
  t.equal(stages.at(-1), 'writing done');
  await t.rejects(convertCheckpoint(bytes, new MemorySink(), { signal: AbortSignal.abort() }));
});

function sizeOf(json: { weightsManifest: { weights: { shape: number[] }[] }[] }): number {
  return json.weightsManifest[0].weights.reduce(
    (sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1),
    0,
  );
}

t.test('a Blob is read as a page would', async (t) => {
  const bytes = await checkpointOf(randomState(grootVShapes(SMALL)));
  const inspection = await inspectCheckpoint(new Blob([bytes.slice()]));
  t.match(inspection, { channels: 8, depths: [1, 1], classes: 10, weightsUsed: 'bare' });
  t.equal((await inspectCheckpoint(blobSource(new Blob([bytes.slice()]), 'x.pth'))).file.name, 'x.pth');
  await t.rejects(inspectCheckpoint(new Uint8Array(10)), CheckpointError);
});

t.test('quantised models, as tfjs restores them', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const exact = await loadConverted('grootv/grootv_tiny_module.pth');
    for (const [quantize, bytes, bound] of [
      ['float16', 2, 2 ** -11],
      ['uint16', 2, 1 / 65535],
      ['uint8', 1, 1 / 255],
    ] as const) {
      const { model, sink, inspection } = await loadConverted('grootv/grootv_tiny_module.pth', { quantize });
      const json = JSON.parse(new TextDecoder().decode(sink.files.get('model.json')));
      const total = [...sink.files].reduce(
        (sum, [name, file]) => sum + (name.endsWith('.bin') ? file.length : 0),
        0,
      );
      const values = json.weightsManifest[0].weights.filter((w: { quantization?: object }) => w.quantization);
      t.equal(inspection.outputBytes, total, 'what is written is what was announced');
      t.ok(values.length > 100, `${values.length} weights are quantised`);
      t.ok(total < (bytes / 4) * sizeOf(json) + 1000, `${quantize}: ${total} bytes`);
      for (const name of Object.keys(model.weights)) {
        const [wanted, given] = [exact, { model }].map(({ model }) => model.weights[name][0].dataSync());
        let largest = 0;
        let [min, max] = [0, 0];
        for (const value of wanted) {
          largest = Math.max(largest, Math.abs(value));
          [min, max] = [Math.min(min, value), Math.max(max, value)];
        }
        const step = quantize === 'float16' ? largest : max - min;
        const difference = maxDifference(given, wanted);
        if (difference > bound * step + 1e-7) t.fail(`${name} moved by ${difference}`);
      }
      const image = tf.randomUniform([1, 32, 32, 3], 0, 255, 'float32', 1);
      const predicted = model.predict(image) as tf.Tensor;
      t.ok(predicted.dataSync().every(Number.isFinite));
      tf.dispose([image, predicted]);
      model.dispose();
    }
    exact.model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('float16 rounds to nearest, ties to even', async (t) => {
  for (const [value, bits] of [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [1e9, 0x7c00],
    [-Infinity, 0xfc00],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [2 ** -25 * 1.001, 1],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -26, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 * 1.001, 0x3c01],
  ]) {
    t.equal(toFloat16(value), bits, `${value}`);
  }
  t.equal(toFloat16(Number.NaN) & 0x7c00, 0x7c00);
  t.not(toFloat16(Number.NaN) & 0x3ff, 0);
});

t.test('the version is that of package.json', async (t) => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  t.equal(CONVERTER_VERSION, manifest.version);
});

t.test('the fixtures of this repository are there', async (t) => {
  t.ok(fixturePath('grootv/grootv_nano_mnist.pth'));
});

t.test('what is not a checkpoint, and one that changes', async (t) => {
  for (const [input, message] of [
    [
      'x.pth',
      /convertCheckpoint was given the path "x\.pth"; expected .*fileSource\(path\).*sourceDirectory\(path\)/,
    ],
    [new URL('file:///x.pth'), /the path "file:\/\/\/x\.pth"/],
    [undefined, /convertCheckpoint was given undefined; expected the bytes of a file/],
    [{}, /an object without read or open/],
  ] as const) {
    const call = () => convertCheckpoint(input as never, new MemorySink());
    await t.rejects(call(), { name: 'TypeError', message });
  }
  await t.rejects(inspectCheckpoint('x' as never), { message: /inspectCheckpoint was given the path/ });
  const source = bytesSource(readFileSync(fixturePath('grootv/grootv_tiny_fp16.pth') as string));
  const changed = Object.assign(source, { checkUnchanged: () => Promise.reject(new Error('changed')) });
  await t.rejects(convertCheckpoint(changed, new MemorySink()), { message: 'changed' });
  await t.rejects(inspectCheckpoint(changed), { message: 'changed' });
});
