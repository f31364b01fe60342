import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { onBackend } from '../../testing/backends.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV, readFolder } from '../index.js';
import { streamedWeights } from './streamed_weights.js';

/** float32, quantised, a non-ASCII string, and an empty weight. */
const SPECS: tf.io.WeightsManifestEntry[] = [
  { name: 'a', shape: [2, 2], dtype: 'float32' },
  { name: 'texts', shape: [2], dtype: 'string' },
  { name: 'none', shape: [0, 3], dtype: 'float32' },
  { name: 'q', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', min: -1, scale: 0.5 } },
];
const TEXTS = ['你', ''];

async function bytesOfWeights(): Promise<Uint8Array> {
  const texts = TEXTS.map((text) => new TextEncoder().encode(text));
  const lengths = texts.map(({ length }) => Uint32Array.of(length));
  const parts = [
    Float32Array.of(1, 2, 3, 4),
    lengths[0],
    texts[0],
    lengths[1],
    texts[1],
    Uint8Array.of(0, 2, 4),
  ];
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** Yields pieces of `piece` bytes; then fails if an error is given. */
function streamOf(bytes: Uint8Array, piece: number, error?: Error): ReadableStream<ArrayBuffer> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at + piece).buffer);
      else if (error) controller.error(error);
      else controller.close();
      at += piece;
    },
  });
}

t.test('pieces of any length give the same weights', async (t) => {
  const bytes = await bytesOfWeights();
  const { leaked } = await onBackend('cpu', async () => {
    for (const piece of [1, 3, 16, 1000]) {
      const weights = await streamedWeights('x', streamOf(bytes, piece), SPECS);
      t.same(Object.keys(weights), ['a', 'texts', 'none', 'q']);
      t.same([...weights.a.dataSync()], [1, 2, 3, 4], `pieces of ${piece}`);
      t.same(await weights.texts.data<'string'>(), TEXTS);
      t.same(weights.none.shape, [0, 3]);
      t.same([...weights.q.dataSync()], [-1, 0, 1]);
      tf.dispose(weights);
    }
  });
  t.equal(leaked, 0);
});

t.test('what ends too early, too late, or before its time leaves nothing behind', async (t) => {
  const bytes = await bytesOfWeights();
  const { leaked } = await onBackend('wasm', async () => {
    const read = (stream: ReadableStream<ArrayBuffer>, signal?: AbortSignal) =>
      streamedWeights('x/model.json', stream, SPECS, signal);
    await t.rejects(read(streamOf(bytes.slice(0, -2), 5)), {
      message: `x/model.json: the weights end after ${bytes.length - 2} bytes, where 2 more are declared`,
    });
    await t.rejects(read(streamOf(Uint8Array.of(...bytes, 0), 5)), {
      message: `x/model.json: the manifest declares ${bytes.length} bytes of weights, there are more`,
    });
    const reason = new Error('enough');
    await t.rejects(read(streamOf(bytes.slice(0, 20), 5, reason)), reason, 'what the stream breaks off with');
    await t.rejects(read(streamOf(bytes, 5), AbortSignal.abort(reason)), reason);
    let given: unknown;
    const cancelled = new ReadableStream<ArrayBuffer>({
      pull: (controller) => controller.enqueue(Uint8Array.of(...bytes, 0).buffer),
      cancel: (told) => {
        given = told;
      },
    });
    await t.rejects(read(cancelled), /there are more$/);
    t.match(given, { message: /there are more$/ }, 'the stream is told that it is not read on');
  });
  t.equal(leaked, 0);
});

t.test('a model whose files are read as its weights are made', async (t) => {
  const { model: reference, sink } = await loadConverted('grootv/grootv_tiny_fp16.pth', { shardBytes: 4096 });
  reference.dispose();
  const { leaked } = await onBackend('wasm', async () => {
    const image = tf.zeros<tf.Rank.R3>([16, 16, 3]);
    const [expected, streamed] = [
      await GrootV.load(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts)),
      await GrootV.load(readFolder((file) => sink.files.get(file))),
    ];
    t.same(await streamed.classify(image, { top: 7 }), await expected.classify(image, { top: 7 }));
    t.same(Object.keys(streamed.model.weights).sort(), Object.keys(expected.model.weights).sort());
    for (const each of [expected, streamed]) each.dispose();

    const plain = await loadGraphModel(readFolder((file) => sink.files.get(file)));
    t.ok(Object.keys(plain.weights).length > 0, "tfjs's own loader takes it too");
    plain.dispose();

    const controller = new AbortController();
    const reason = new Error('enough');
    let reads = 0;
    const stopping = readFolder((file) => {
      if (++reads === 4) controller.abort(reason);
      return sink.files.get(file);
    });
    await t.rejects(GrootV.load(stopping, { signal: controller.signal }), reason);
    t.ok(reads < 8, `the signal of load ends it after ${reads} files`);
    image.dispose();
  });
  t.equal(leaked, 0);
});
