/** Tests LoRA adapters attached to a running model against the authors' code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { convertFolder } from '../../converters/architectures/grootl/folder.js';
import { filesDirectory, MemorySink, readAdapter } from '../../converters/index.js';
import { sourceDirectory } from '../../node/source_directory.js';
import { BACKENDS, onBackend } from '../../testing/backends.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { convertedFolder, loadPrefill, logitsOf, sinkFiles } from '../../testing/language_models.js';
import { maxDifference } from '../../testing/measure.js';
import { type Adapter, GrootL } from '../index.js';
import { encodeSafetensors } from './safetensors_writer.js';

const TINY = 'grootl/grootl_tiny';
const LORA = 'grootl/grootl_tiny_lora';
const folder = fixturePath(LORA) as string;
const [{ context_len: promptLength }] = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
const expected = readFixture(`${LORA}/expected_short.safetensors`);

async function adapterOf(): Promise<Adapter> {
  const directory = await sourceDirectory(folder);
  try {
    return await readAdapter(directory);
  } finally {
    await directory.close();
  }
}

/** The model with the adapter merged into everything but its output head, which is untied. */
async function mergedBesideHead(): Promise<MemorySink> {
  const tiny = fixturePath(TINY) as string;
  const weights = readFixture(`${TINY}/model.safetensors`);
  const tensors = weights.names().map((name) => ({ name, ...weights.tensor(name) }));
  const head = { name: 'lm_head.weight', ...weights.tensor('backbone.embeddings.weight') };
  const config = JSON.parse(readFileSync(join(tiny, 'config.json'), 'utf8'));
  const files = new Map([
    ['config.json', Buffer.from(JSON.stringify({ ...config, tie_word_embeddings: false }))],
    [
      'model.safetensors',
      encodeSafetensors(
        [...tensors, head].map(({ name, shape, values }) => ({ name, dtype: 'F32', shape, data: values })),
      ),
    ],
  ]);
  const sink = new MemorySink();
  await convertFolder(filesDirectory(files), sink, { lora: filesDirectory(filesOf(folder)) });
  return sink;
}

/** The files of an adapter. */
function filesOf(path: string): Map<string, Uint8Array> {
  const names = ['adapter_config.json', 'adapter_model.safetensors'];
  return new Map(names.map((file) => [file, readFileSync(join(path, file))]));
}

async function loaded(): Promise<GrootL> {
  return GrootL.load(sinkFiles(await convertedFolder(TINY)));
}

for (const backend of BACKENDS) {
  t.test(`attach, switch and detach on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const adapter = await adapterOf();
      const model = await loaded();
      const ids = [...expected.tensor('p0.input_ids').values];
      const before = logitsOf(model.model, ids, promptLength);
      const text = await model.generate(ids, { maxTokens: 8 });

      await model.attach(adapter);
      const attached = logitsOf(model.model, ids, promptLength);
      const apart = await loadPrefill(await mergedBesideHead());
      const reference = logitsOf(apart, ids, promptLength);
      apart.dispose();
      const difference = maxDifference(attached, reference);
      t.ok(difference <= 1e-4, `the output head keeps its values: ${difference}`);
      const merged = expected.tensor('p0.merged_tree_logits').values;
      t.ok(maxDifference(attached, merged) > 0.1, 'which a merged adapter changes');
      const next = await model.generate(ids, { maxTokens: 8 });

      const half = { modules: adapter.modules.map((each) => ({ ...each, scaling: each.scaling / 2 })) };
      await model.attach(half);
      t.ok(maxDifference(logitsOf(model.model, ids, promptLength), attached) > 1e-2, 'another adapter');
      await model.attach(adapter);
      t.same(logitsOf(model.model, ids, promptLength), attached, 'and the first again');
      t.same((await model.generate(ids, { maxTokens: 8 })).tokens, next.tokens);

      model.detach();
      t.same(logitsOf(model.model, ids, promptLength), before, 'detached: bit for bit');
      t.same((await model.generate(ids, { maxTokens: 8 })).tokens, text.tokens);
      model.detach();
      await model.attach(adapter);
      model.dispose();
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });
}

t.test('token by token as the whole text', async (t) => {
  await onBackend('wasm', async () => {
    const model = await loaded();
    await model.attach(await adapterOf());
    const ids = [...expected.tensor('p0.input_ids').values];
    const { tokens } = await model.generate(ids, { maxTokens: 6 });
    const all = logitsOf(model.model, [...ids, ...tokens.slice(0, -1)], ids.length);
    const vocabulary = all.length / (ids.length + tokens.length - 1);
    const greedy = tokens.map((_, i) => {
      const row = all.subarray((ids.length - 1 + i) * vocabulary, (ids.length + i) * vocabulary);
      return row.indexOf(Math.max(...row));
    });
    t.same(tokens, greedy, 'the graph of a token has the adapter too');
    model.dispose();
  });
});

t.test('what is saved is the model without the adapter', async (t) => {
  await onBackend('cpu', async () => {
    const model = await loaded();
    await model.attach(await adapterOf());
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save({
      save: async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      },
    });
    t.notMatch(JSON.stringify(saved?.modelTopology), /adapted/);
    model.dispose();
  });
});

t.test('adapters that do not fit', async (t) => {
  await onBackend('cpu', async () => {
    const model = await loaded();
    const adapter = await adapterOf();
    const tensors = tf.memory().numTensors;
    const [embeddings, first] = adapter.modules;
    const changed = (change: object) => ({ modules: [embeddings, { ...first, ...change }] });
    const wrong: [unknown, RegExp][] = [
      [
        changed({ module: 'backbone.layers.9.mixer.in_proj' }),
        /changes "backbone.layers.9.mixer.in_proj", which/,
      ],
      [changed({ module: '__proto__' }), /which the model does not have/],
      [
        changed({ a: { shape: [4, 63], values: new Float32Array(4 * 63) } }),
        /A and B .* \[4, 63\] and .* \[r, 64\]/,
      ],
      [changed({ isEmbedding: true }), /expected \[r, 256\]/],
      [{}, /GrootL.attach: the adapter is an object, expected what readAdapter gives/],
    ];
    for (const [given, message] of wrong) {
      await t.rejects(model.attach(given as Adapter), { message });
      t.equal(tf.memory().numTensors, tensors, 'nothing is left behind');
    }
    model.dispose();
  });
  const files = filesOf(folder);
  await t.rejects(readAdapter(filesDirectory(new Map(), 'x')), { message: /has no adapter_config.json/ });
  files.set('trainable_params.bin', readFileSync(join(fixturePath(TINY) as string, 'model.safetensors')));
  await t.rejects(readAdapter(filesDirectory(files, 'x')), {
    message: /trained whole: it cannot be attached/,
  });
});
