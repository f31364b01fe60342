/** Language models in a page, against the authors' code. */
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { convertFolder } from '../../../converters/architectures/grootl/folder.js';
import { filesDirectory } from '../../../converters/huggingface/source_directory.js';
import { MemorySink } from '../../../converters/index.js';
import '../../../plugin/index.js';
import { maxDifference } from '../../../testing/measure.js';
import '../index.js';
import { fetchBytes, fetchFixture, pageTest, tf } from './page_test.js';

const FOLDER = 'grootl/grootl_tiny';
const BOUND = 1e-3;

pageTest('a small language model, with its tree and without', async (t) => {
  const files = new Map<string, Uint8Array>();
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json']) {
    files.set(file, new Uint8Array(await fetchBytes(`${FOLDER}/${file}`)));
  }
  // A checkout alone has the logits of short texts.
  const expected = await fetchFixture(`${FOLDER}/expected_logits.safetensors`).catch(() =>
    fetchFixture(`${FOLDER}/expected_logits_short.safetensors`),
  );
  const { logits: texts } = JSON.parse(
    new TextDecoder().decode(await fetchBytes(`${FOLDER}/expected.json`)),
  ) as { logits: { name: string; context_len: number }[] };
  for (const scan of ['tree', 'chain'] as const) {
    const sink = new MemorySink();
    await convertFolder(filesDirectory(files), sink, { scan });
    const model = await loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
    for (const { name, context_len } of texts.filter(({ name }) => expected.has(`${name}.input_ids`))) {
      const ids = expected.tensor(`${name}.input_ids`).values as Int32Array;
      const logits = tf.tidy(() => {
        const input_ids = tf.tensor2d(ids, [1, ids.length], 'int32');
        const prompt_length = tf.scalar(context_len, 'int32');
        return (model.execute({ input_ids, prompt_length }, 'logits') as tf.Tensor).dataSync();
      });
      const wanted = expected.tensor(`${name}.${scan}_logits`).values;
      t.atMost(maxDifference(logits, wanted), BOUND, `${scan}, ${ids.length} tokens`);
    }
    model.dispose();
  }
});
