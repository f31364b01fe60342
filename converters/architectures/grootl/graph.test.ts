/**
 * Converted GrootL models against the authors' code: logits, decoding, layouts, adapters, gradients. On one backend only; the
 * conformance suite checks all backends against these files.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { GrootL } from '../../../plugin/index.js';
import { onBackend } from '../../../testing/backends.js';
import { fixturePath, readFixture } from '../../../testing/fixtures.js';
import { convertedFolder, loadPrefill, logitsOf, sinkFiles } from '../../../testing/language_models.js';
import { maxDifference } from '../../../testing/measure.js';
import type { MemorySink } from '../../index.js';

/** Maximum difference of a logit from the reference, and between decoding and processing the whole text. */
const LOGITS = 2e-4;
const DECODING = 1e-4;

const TINY = 'grootl/grootl_tiny';
const LORA = 'grootl/grootl_tiny_lora';
const readJson = (file: string) => JSON.parse(readFileSync(fixturePath(file) as string, 'utf8'));
const expected = readJson(`${TINY}/expected.json`);

const BACKEND = 'wasm';

for (const scan of ['tree', 'chain'] as const) {
  t.test(`${scan} logits of the tiny model`, async (t) => {
    const { leaked } = await onBackend(BACKEND, async () => {
      const model = await loadPrefill(await convertedFolder(TINY, { scan }));
      const all = fixturePath(`${TINY}/expected_logits.safetensors`);
      const fixture = readFixture(`${TINY}/expected_logits${all ? '' : '_short'}.safetensors`);
      for (const { name, context_len } of expected.logits) {
        if (!fixture.has(`${name}.input_ids`)) {
          t.pass(name, { skip: 'only the logits of short texts are here' });
          continue;
        }
        const logits = logitsOf(model, fixture.tensor(`${name}.input_ids`).values, context_len);
        const difference = maxDifference(logits, fixture.tensor(`${name}.${scan}_logits`).values);
        t.ok(difference <= LOGITS, `${name}: ${difference}`);
      }
      model.dispose();
    });
    t.equal(leaked, 0, 'no tensor is left behind');
  });

  t.test(`decoding gives what reading the whole text gives, ${scan}`, async (t) => {
    const { leaked } = await onBackend(BACKEND, async () => {
      const files = sinkFiles(await convertedFolder(TINY, { scan }));
      const [prefill, decode] = await Promise.all([loadGraph(files), decodeAlone(files)]);
      const ids: number[] = expected.greedy[0].prompt_ids.concat(expected.greedy[0].tree_ids);
      for (const promptLength of [1, 2, 3, 16]) {
        const whole = logitsOf(prefill, ids, promptLength);
        const difference = await decodingDifference(prefill, decode, ids, promptLength, whole);
        t.ok(difference <= DECODING, `prompt of ${promptLength}: ${difference}`);
      }
      prefill.dispose();
      decode.dispose();
    });
    t.equal(leaked, 0);
  });
}

t.test('every prompt length of short texts', async (t) => {
  const { leaked } = await onBackend(BACKEND, async () => {
    const model = await loadPrefill(await convertedFolder(TINY));
    for (let length = 1; length <= 5; length++) {
      const ids = expected.greedy[0].prompt_ids.slice(0, length);
      const logits = Array.from({ length: length + 1 }, (_, prompt) => logitsOf(model, ids, prompt));
      t.ok(
        logits.every((row) => row.every(Number.isFinite)),
        `${length} tokens`,
      );
      for (let prompt = 1; prompt <= Math.min(2, length); prompt++) {
        t.same(logits[prompt], logits[0], `a prompt of ${prompt} has no choice of trees`);
      }
    }
    for (const [ids, prompt, message] of [
      [[3, 4], 3, /WindowGraph: promptLength is 3, expected an integer from 0 to 2/],
      [[3, 4], -1, /promptLength is -1, expected an integer of at least 0/],
      [[3, 1024], 1, /TokenEmbedding: token 1 has the id 1024, expected ids from 0 to 1023/],
      [[-1], 1, /TokenEmbedding: token 0 has the id -1/],
      [[], 0, /WindowGraph: tokens\[B, L\] has shape \[1, 0\]: L is 0, expected at least 1/],
    ] as const) {
      t.throws(() => logitsOf(model, ids, prompt), { message }, `${ids}, ${prompt}`);
    }
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('a padded batch', async (t) => {
  const { leaked } = await onBackend(BACKEND, async () => {
    const model = await GrootL.load(sinkFiles(await convertedFolder(TINY)));
    const { rows, context_len_used, padded_length, pad_id } = expected.loglikelihood_batched;
    const texts: number[][] = rows.map(({ context, continuation }: Record<string, string>) => {
      const [bare, space] = [context.trimEnd(), context.slice(context.trimEnd().length)];
      return model.tokenizer?.encode(bare + space + continuation);
    });
    const logits = tf.tidy(() => {
      const padded = texts.map((ids) =>
        Array.from({ length: padded_length }, (_, i) => (i < ids.length - 1 ? ids[i] : pad_id)),
      );
      const input_ids = tf.tensor2d(padded, undefined, 'int32');
      const prompt_length = tf.scalar(context_len_used, 'int32');
      const logits = model.model.execute({ input_ids, prompt_length }, 'logits') as tf.Tensor;
      return tf.logSoftmax(logits).arraySync() as number[][][];
    });
    rows.forEach(({ context_len, sum_logprob }: Record<string, number>, row: number) => {
      let sum = 0;
      for (let i = context_len; i < texts[row].length; i++) sum += logits[row][i - 1][texts[row][i]];
      t.ok(Math.abs(sum - sum_logprob) <= 1e-3, `row ${row}: ${sum}, expected ${sum_logprob}`);
    });
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('a merged adapter', async (t) => {
  if (!fixturePath(`${LORA}/expected.safetensors`)) {
    t.pass('logits', { skip: 'expected.safetensors is not here' });
    return;
  }
  const fixture = readFixture(`${LORA}/expected.safetensors`);
  const { leaked } = await onBackend(BACKEND, async () => {
    for (const scan of ['tree', 'chain'] as const) {
      const model = await loadPrefill(await convertedFolder(TINY, { scan, lora: LORA }));
      for (const { name, context_len } of readJson(`${LORA}/expected.json`)) {
        const logits = logitsOf(model, fixture.tensor(`${name}.input_ids`).values, context_len);
        const difference = maxDifference(logits, fixture.tensor(`${name}.merged_${scan}_logits`).values);
        t.ok(difference <= LOGITS, `${scan} ${name}: ${difference}`);
      }
      model.dispose();
    }
  });
  t.equal(leaked, 0);
});

t.test('the weights of both graphs are one set of shards', async (t) => {
  const sink = await convertedFolder(TINY, { shardBytes: 2 ** 18 });
  const [model, decode] = ['model.json', 'decode.json'].map((file) => jsonOf(sink, file));
  t.same(decode.weightsManifest, model.weightsManifest);
  t.equal(model.weightsManifest[0].paths.length, 3);
  t.same(Object.keys(model.signature.inputs), ['input_ids', 'prompt_length']);
  t.same(Object.keys(model.signature.outputs).slice(0, 3), ['logits', 'state_0', 'past_0']);
  t.equal(jsonOf(sink, 'tokenizer.json').version, readJson(`${TINY}/tokenizer.json`).version);
  t.ok(sink.files.has('tokenizer_config.json'));
  t.match(model.userDefinedMetadata, {
    architecture: { family: 'GrootL', name: 'GrootL', layers: 3, hidden: 64, vocabulary: 1024, stepRank: 4 },
    tokens: { endOfText: 0, padding: 1 },
    source: { file: 'model.safetensors', sha256: /^[0-9a-f]{64}$/, adapter: null },
  });
});

t.test('gradients of supervised fine-tuning', async (t) => {
  if (!fixturePath(`${TINY}/sft_grads.safetensors`)) {
    t.pass('gradients', { skip: 'sft_grads.safetensors is not here' });
    return;
  }
  const fixture = readFixture(`${TINY}/sft_grads.safetensors`);
  const { leaked } = await onBackend(BACKEND, async () => {
    const model = await loadPrefill(await convertedFolder(TINY));
    tf.tidy(() => {
      const ids = Int32Array.from(fixture.tensor('input_ids').values);
      const labels = [...fixture.tensor('labels').values];
      const promptLength = labels.filter((label) => label === -100).length;
      const input_ids = tf.tensor2d(ids, [1, ids.length], 'int32');
      const prompt_length = tf.scalar(promptLength, 'int32');
      const run = () => {
        const logits = model.execute({ input_ids, prompt_length }, 'logits') as tf.Tensor3D;
        const scored = tf.slice(
          tf.squeeze(logits, [0]),
          [promptLength - 1, 0],
          [ids.length - promptLength, -1],
        );
        const wanted = tf.oneHot(tf.tensor1d(labels.slice(promptLength), 'int32'), 1024);
        return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(scored), wanted), -1))) as tf.Scalar;
      };
      const loss = fixture.tensor('loss').values[0];
      t.ok(Math.abs(run().dataSync()[0] - loss) <= 1e-4, `loss ${run().dataSync()[0]}, expected ${loss}`);
      const names = fixture.names().filter((name) => name.startsWith('grad.'));
      const weights = names.map((name) => model.weights[name.slice('grad.'.length)][0]);
      const gradients = tf.grads(run)(weights);
      names.forEach((name, i) => {
        const { shape, values } = fixture.tensor(name);
        const scale = Math.max(...Array.from(values, Math.abs));
        const isTransposed = gradients[i].rank === 2 && !name.endsWith('A_log');
        const given = tf.reshape(isTransposed ? tf.transpose(gradients[i]) : gradients[i], shape);
        const difference = maxDifference(given.dataSync(), values);
        t.ok(difference <= 1e-4 * scale, `${name}: ${difference} of ${scale}`);
      });
    });
    model.dispose();
  });
  t.equal(leaked, 0);
});

function jsonOf(sink: MemorySink, file: string) {
  return JSON.parse(new TextDecoder().decode(sink.files.get(file)));
}

async function loadGraph(model: tf.io.IOHandler) {
  const { loadGraphModel } = await import('@tensorflow/tfjs-converter');
  return loadGraphModel(model);
}

/** decode.json with its own weights, as an application without `GrootL` would load it. */
async function decodeAlone(files: ReturnType<typeof sinkFiles>) {
  const artifacts = (await files.load?.()) as tf.io.ModelArtifacts;
  const { modelTopology, signature } = JSON.parse((await files.readText('decode.json')) as string);
  return loadGraph(tf.io.fromMemory({ ...artifacts, modelTopology, signature }));
}

type Graph = Awaited<ReturnType<typeof loadGraph>>;

/** The maximum difference of logits over the tokens after the prompt. */
async function decodingDifference(
  prefill: Graph,
  decode: Graph,
  ids: readonly number[],
  promptLength: number,
  whole: Float32Array,
): Promise<number> {
  const input = (ids: readonly number[]) => tf.tensor2d([...ids], [1, ids.length], 'int32');
  const names = [0, 1, 2].flatMap((layer) => [`state_${layer}`, `past_${layer}`]);
  let largest = 0;
  const last = tf.tidy(() => {
    const feeds = {
      input_ids: input(ids.slice(0, promptLength)),
      prompt_length: tf.scalar(promptLength, 'int32'),
    };
    let states = prefill.execute(feeds, names) as tf.Tensor[];
    for (let at = promptLength; at < ids.length; at++) {
      const named = Object.fromEntries(states.map((state, i) => [names[i], state]));
      const outputs = ['logits', ...names.map((name) => `next_${name}`)];
      const [logits, ...next] = decode.execute(
        { input_ids: input([ids[at]]), ...named },
        outputs,
      ) as tf.Tensor[];
      const wanted = whole.subarray(1024 * at, 1024 * (at + 1));
      largest = Math.max(largest, maxDifference(logits.dataSync(), wanted));
      states = next;
    }
    return largest;
  });
  return last;
}
